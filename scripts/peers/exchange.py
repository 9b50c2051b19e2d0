"""What compare.py and a peer pass each other: a folder of JSON lines. It runs in both environments, on Python alone.

```
train.jsonl dev.jsonl   in: {"tokens": [...], "tags": [...]} a line; spans in IOB2, or plain tags
test.jsonl              in: {"tokens": [...]}; a peer never sees the tags of the test split
dev.tags.jsonl test.tags.jsonl   out: a list of tags a line
facts.json              out: how the peer was trained
```
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from platform import python_version

OUTSIDE = "O"
FACTS = "facts.json"


@dataclass(frozen=True)
class Facts:
    """How a peer was trained. Times are of the processor, so that other work on the machine does not lengthen them.

    Attributes:
        settings: those chosen, by name.
        seconds: that the training of the model that was chosen took.
        search_seconds: that all training took.
        tokens_per_second: in tagging the test split, features made on the way.
        model_bytes: of the model's files.
        versions: of the packages that matter.
        notes: what a reader of the scores should know.
    """

    settings: dict[str, str | int | float]
    seconds: float
    search_seconds: float
    tokens_per_second: float
    model_bytes: int
    versions: dict[str, str]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Task:
    """What a peer is asked: the folder to work in, `entities` or `tags`, the language's ISO 639-1 code, and a seed."""

    folder: Path
    kind: str
    language: str
    seed: int

    @classmethod
    def from_command_line(cls, description: str | None) -> Task:
        parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
        parser.add_argument("--folder", type=Path, required=True)
        parser.add_argument("--kind", choices=["entities", "tags"], required=True)
        parser.add_argument("--language", required=True)
        parser.add_argument("--seed", type=int, default=0)
        return cls(**vars(parser.parse_args()))

    def sentences(self, split: str) -> list[tuple[list[str], list[str]]]:
        """Tokens and tags of each sentence; of the test split without tags."""
        records = read_lines(self.folder / f"{split}.jsonl")
        return [(record["tokens"], record.get("tags", [])) for record in records]

    def answer(self, dev: Iterable[Sequence[str]], test: Iterable[Sequence[str]], facts: Facts) -> None:
        """Hand in the tags of both splits; the facts go last and say that all is there."""
        write_lines(self.folder / "dev.tags.jsonl", dev)
        write_lines(self.folder / "test.tags.jsonl", test)
        rounded = {key: round(value, 2) if isinstance(value, float) else value for key, value in asdict(facts).items()}
        (self.folder / FACTS).write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")


def read_lines(path: Path) -> list:
    """The values of a JSONL file."""
    with path.open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def write_lines(path: Path, values: Iterable[object]) -> None:
    """Write a JSONL file; surrogates that UTF-8 cannot hold stay escaped, as all beyond ASCII does."""
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(json.dumps(value) + "\n" for value in values)


def spans(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Of IOB2 tags; an I that continues nothing begins a span, as in conlleval."""
    found: list[tuple[int, int, str]] = []
    for position, tag in enumerate(tags):
        prefix, _, label = tag.partition("-")
        if prefix == "I" and found and found[-1][1:] == (position, label):
            found[-1] = (found[-1][0], position + 1, label)
        elif prefix in ("B", "I"):
            found.append((position, position + 1, label))
    return found


def timed(work: Callable[[], object]) -> float:
    """Processor seconds that `work` takes, in all threads."""
    began = time.process_time()
    work()
    return time.process_time() - began


def versions(*packages: str) -> dict[str, str]:
    """Of Python and of installed packages, by name."""
    from importlib.metadata import version  # here, as it would add to the memory of what is measured

    return {"python": python_version(), **{package: version(package) for package in packages}}


def bytes_of(path: Path) -> int:
    """Of a file, or of all files in a folder."""
    return sum(part.stat().st_size for part in [path, *path.rglob("*")] if part.is_file())
