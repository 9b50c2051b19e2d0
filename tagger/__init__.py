"""A named-entity and sequence tagger: bidirectional GRU with a CRF, trained in minutes, fast on a plain CPU."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tagger.errors import UserError
from tagger.version import __version__

if TYPE_CHECKING:
    from tagger.corpus.sentence import Entity, Sentence
    from tagger.predict import Tagger, load

__all__ = ["Entity", "Sentence", "Tagger", "UserError", "__version__", "load"]

_HOMES = {
    "Entity": "corpus.sentence",
    "Sentence": "corpus.sentence",
    "Tagger": "predict",
    "load": "predict",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import tagger` alone stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
