"""A named-entity and sequence tagger: bidirectional GRU with a CRF, trained in minutes, fast on a plain CPU.

    import tagger

    model = tagger.load()                       # the bundled English model; or a path, or hub:ORG/NAME
    doc = model.tag("Ada Lovelace lived in London.")
    doc.entities

`docs/python.md` has more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tagger.errors import UserError
from tagger.version import __version__ as __version__

if TYPE_CHECKING:
    from tagger.api.comparing import compare
    from tagger.api.scoring import evaluate
    from tagger.api.training import train
    from tagger.corpus.document import Document
    from tagger.corpus.sentence import Entity, Sentence
    from tagger.predict import Tagger, load

__all__ = ["Document", "Entity", "Sentence", "Tagger", "UserError", "compare", "evaluate", "load", "train"]

_HOMES = {
    "Document": "corpus.document",
    "Entity": "corpus.sentence",
    "Sentence": "corpus.sentence",
    "Tagger": "predict",
    "compare": "api.comparing",
    "evaluate": "api.scoring",
    "load": "predict",
    "train": "api.training",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import tagger` alone stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names alone."""
    return __all__
