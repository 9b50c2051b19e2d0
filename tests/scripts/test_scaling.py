"""`scripts/scaling.py`: bytes that were really read and written, and arithmetic that can be done by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tagger.commands.tag import main as tag
from tests.helpers.random_models import random_folder
from tests.helpers.scripts import load_script

pytestmark = pytest.mark.extended

scaling = load_script("scaling.py")
MEASURED = scaling.Measured(text=5.0, jsonl=10.0, text_gz=2.0, jsonl_gz=3.0)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    random_folder(seed=1).save(tmp_path / "model", "")
    for name in ("a.txt", "b.tsv"):
        (tmp_path / name).write_text("Anna lives in New York .\n" * 50)
    return tmp_path


def test_bytes_are_those_of_tag_py(place: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    model, texts = str(place / "model"), [str(place / name) for name in ("a.txt", "b.tsv")]
    tokens, measured = scaling.measure(texts, model)
    assert tag([*texts, "--model", model, "--input-format", "text", "--tokens"]) == 0
    records = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert tokens == sum(len(record["tokens"]) for record in records)
    assert tag([*texts, "--model", model, "--input-format", "text"]) == 0
    assert measured.jsonl * tokens == pytest.approx(len(capfdbinary.readouterr().out))
    assert measured.text * tokens == pytest.approx(2 * 50 * len("Anna lives in New York .\n"))
    assert measured.text_gz < measured.text


def test_a_corpus_takes_what_it_takes() -> None:
    assert scaling.core_hours(3600 * 500, 500) == 1
    assert scaling.storage_per_core(1000, 5, 10) == 1000 * (5 + 10)
    *_, smallest, _, largest = scaling.corpus_table(MEASURED, 100_000, 0.05).splitlines()
    assert smallest.split(" | ") == ["| 1,000,000,000", "2.8", "0.14", "0.028", "0.003", "5", "10 |"]
    assert largest.split(" | ")[1:4] == ["2,777.8", "138.89", "27.778"]
    *_, storage = scaling.storage_table(MEASURED, 100_000).splitlines()
    assert storage == "| 10,000 | 6,667 | 8,333 |"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells of processes left by their parents")
def test_cpu_seconds_are_those_of_daemons_too() -> None:
    """In a process of its own, which comes by children that the tests have left."""
    busy = "import time\nwhile time.process_time() < 0.5: pass"
    leaves_it = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {busy!r}], start_new_session=True)"
    measures = (
        f"import sys; sys.path.insert(0, {str(Path(scaling.__file__).parent)!r}); import scaling\n"
        f"print(scaling.cpu_seconds([sys.executable, '-c', {leaves_it!r}]))"
    )
    told = subprocess.run([sys.executable, "-c", measures], capture_output=True, text=True, check=True, timeout=300)
    assert float(told.stdout) >= 0.5


def test_what_cannot_be_read_is_a_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scaling.main([str(place / "gone.txt"), "--model", str(place / "model")]) == 2
    assert capsys.readouterr().err.startswith(f"scaling.py: {place}/gone.txt: no such file")
