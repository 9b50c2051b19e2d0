"""Importing, training, scoring and tagging ask no network for anything, but where somebody names an id of the Hub."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.repository import REPOSITORY
from tests.helpers.small_corpus import QUICK, column_files

pytestmark = pytest.mark.extended

ASKED = 99  # the exit code where the network was
GUARD = f"""\
import os, sys

def guard(event, arguments):
    if event in ("socket.connect", "socket.sendto"):
        asked = isinstance(arguments[1], tuple)  # and not a path, of a socket within this machine
    else:
        asked = event in ("socket.getaddrinfo", "socket.gethostbyname")
    if asked:
        os.write(2, f"asked: {{event}}\\n".encode())
        os._exit({ASKED})

sys.addaudithook(guard)
sys.path.insert(0, {str(REPOSITORY)!r})
"""
ENTRY = "from tagger.commands.main import main\nsys.exit(main())\n"
IMPORTS = """\
import importlib, pkgutil, tagger
names = [module.name for module in pkgutil.walk_packages(tagger.__path__, "tagger.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


def guarded(
    program: str, *arguments: str, cwd: Path, text: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a program that ends when it, or anything it imports, asks the network."""
    home = {"HF_HOME": str(cwd / "hub"), "TAGGER_CACHE": str(cwd / "cache"), "HOME": str(cwd)}
    return subprocess.run(
        [sys.executable, "-c", GUARD + program, *arguments],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", **home, **variables},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def test_imports_ask_nothing(tmp_path: Path) -> None:
    done = guarded(IMPORTS, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


def test_training_scoring_and_tagging_ask_nothing(tmp_path: Path) -> None:
    data = column_files(tmp_path)
    trained = guarded(ENTRY, "train", *data, *QUICK, "embeddings.static=bundled", "run_dir=run", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    scored = guarded(ENTRY, "evaluate", *data, "model=run/model", cwd=tmp_path)
    assert scored.returncode == 0, scored.stderr
    tagged = guarded(ENTRY, "tag", "--model", "run/model", cwd=tmp_path, text="Ada met Bo in Oslo.\n")
    assert (tagged.returncode, tagged.stdout.count("\n")) == (0, 1)


IDS = {
    "model": ("tag", "--model", "hub:somebody/a-model"),
    "encoder": ("train", "data=starter", "embeddings.transformer.path=somebody/an-encoder", "run_dir=run"),
    "data": ("train", "data=huggingface", "data.path=somebody/a-set", "run_dir=run"),
}


@pytest.mark.parametrize("kind", IDS)
def test_an_id_of_the_hub_is_asked_for(kind: str, tmp_path: Path) -> None:
    """Which also shows that these tests would see it."""
    done = guarded(ENTRY, *IDS[kind], cwd=tmp_path)
    assert done.returncode == ASKED, done.stderr
    assert "asked: socket." in done.stderr


@pytest.mark.parametrize("kind", IDS)
def test_an_id_of_the_hub_is_not_asked_for_when_offline(kind: str, tmp_path: Path) -> None:
    done = guarded(ENTRY, *IDS[kind], cwd=tmp_path, HF_HUB_OFFLINE="1")
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"{IDS[kind][0]}.py: somebody/a")
