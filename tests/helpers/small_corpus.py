"""A corpus that a small model learns in seconds: the word after "met" is a person, after "in" a place."""

from __future__ import annotations

import random
from pathlib import Path

PEOPLE = ("Ada", "Bo", "Chidi", "Dalia", "Enok", "Farah")
PLACES = (("Paris",), ("Oslo",), ("New", "York"), ("Accra",), ("Lima",))
FILLERS = ("We", "They", "Nobody", "I")

QUICK = (  # overrides that make a run of a second; a test of the report adds report=true
    "encoder.hidden_size=16",
    "embeddings.word.size=16",
    "embeddings.characters.filters=8",
    "embeddings.dropout=0.1",
    "encoder.dropout=0.1",
    "optim.batch_tokens=60",
    "optim.optimizer.lr=0.02",
    "trainer.max_epochs=3",
    "trainer.enable_progress_bar=false",
    "report=false",
)


def sentence(chance: random.Random) -> list[tuple[str, str]]:
    """Token and IOB2 tag of each word."""
    rows = [(chance.choice(FILLERS), "O"), ("met", "O"), (chance.choice(PEOPLE), "B-PER"), ("in", "O")]
    place = chance.choice(PLACES)
    rows += [(word, "B-LOC" if number == 0 else "I-LOC") for number, word in enumerate(place)]
    return [*rows, (".", "O")]


def write_column_file(path: Path, sentences: int, seed: int) -> Path:
    """`sentences` sentences as token TAB tag, the same for the same seed."""
    chance = random.Random(seed)
    blocks = ["".join(f"{token}\t{tag}\n" for token, tag in sentence(chance)) for _ in range(sentences)]
    path.write_text("\n".join(blocks), encoding="utf-8")
    return path


def column_files(folder: Path) -> list[str]:
    """Overrides for three such files in `folder`."""
    sizes = {"train": 80, "dev": 20, "test": 23}
    files = {name: write_column_file(folder / f"{name}.conll", size, len(name)) for name, size in sizes.items()}
    return ["data=conll", *(f"data.{name}={path}" for name, path in files.items())]
