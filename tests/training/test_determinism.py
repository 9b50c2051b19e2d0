"""The same seed gives the same model and the same report, to the byte, in processes that order their sets otherwise."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.children import begin
from tests.helpers.small_corpus import QUICK, column_files

pytestmark = pytest.mark.extended

SETTINGS = [
    *QUICK,
    "optim.mention_replacement=0.3",
    "embeddings.static=bundled",
    "trainer.max_epochs=2",
    "run_dir=run",
    "report=true",
]

_SECONDS = re.compile(rb"epochs in \d+ s")  # in the model card


def run(folder: Path, script: str, *arguments: str, hash_seed: int = 0) -> str:
    process = begin(script, *arguments, cwd=folder, env={"PYTHONHASHSEED": str(hash_seed)})
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    return out


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of two runs with the same seed."""
    folders = []
    for hash_seed in (1, 2):
        folder = tmp_path_factory.mktemp(f"run{hash_seed}")
        files = [override.replace(f"{folder}/", "") for override in column_files(folder)]
        run(folder, "train.py", *files, *SETTINGS, hash_seed=hash_seed)
        folders.append(folder)
    return folders


def without_times_and_places(figures: Any) -> Any:
    if isinstance(figures, dict):
        return {
            name: without_times_and_places(value)
            for name, value in figures.items()
            if name not in ("model", "tokens_per_second")
        }
    return [without_times_and_places(entry) for entry in figures] if isinstance(figures, list) else figures


def test_the_model_folders_are_the_same(twice: list[Path]) -> None:
    files = [{path.name: path for path in sorted((folder / "run" / "model").rglob("*.*"))} for folder in twice]
    assert files[0].keys() == files[1].keys() >= {"model.safetensors", "config.json", "vocab.json"}
    for name, path in files[0].items():
        one, other = (_SECONDS.sub(b"", each.read_bytes()) for each in (path, files[1][name]))
        assert one == other, name


def test_the_reports_are_the_same_but_for_times_and_places(twice: list[Path]) -> None:
    reports = [folder / "run" / "report" for folder in twice]
    figures = [json.loads((report / "report.json").read_text(encoding="utf-8")) for report in reports]
    assert without_times_and_places(figures[0]) == without_times_and_places(figures[1])
    assert (reports[0] / "predictions.conll").read_bytes() == (reports[1] / "predictions.conll").read_bytes()


def test_tagging_gives_the_same_whichever_of_them_tags_in_how_many_processes(twice: list[Path]) -> None:
    texts = "".join(f"They met Chidi in New York {number} times .\n" for number in range(3000))
    found = []
    for folder, workers in zip(twice, ("1", "3"), strict=True):
        (folder / "text.txt").write_text(texts, encoding="utf-8")
        found.append(run(folder, "tag.py", "--model", "run/model", "text.txt", "--workers", workers, "--quiet"))
    assert found[0] == found[1]
    assert '"Chidi"' in found[0]
