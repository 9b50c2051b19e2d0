"""What is fuzzed: functions of bytes that raise where something is neither told in a line nor complete and aligned."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

Target = Callable[[bytes], None]
_PLACES = {
    "columns": "reading",
    "conllu": "reading",
    "jsonl": "reading",
    "labelstudio": "reading",
    "csv": "reading",
    "webanno": "reading",
    "brat": "reading",
    "spacy_docs": "reading",
    "docred": "reading",
    "parallel": "reading",
    "huggingface": "reading",
    "aligned": "reading",
    "vectors": "model_files",
    "model_folder": "model_files",
    "whitespace": "splitting",
    "characters": "splitting",
    "syntok": "splitting",
    "spacy": "splitting",
    "tag": "tagging",
    "tag_packed": "tagging",
    "report": "reporting",
    "report_pictures": "reporting",
}
NAMES = tuple(_PLACES)
SLOW = {"report_pictures": 200}  # how many times fewer inputs they are given


def target(name: str) -> Target:
    """The target of a name, imported when asked for."""
    found: Target = getattr(import_module(f"tests.fuzz.{_PLACES[name]}"), name)
    return found
