"""Scripts as modules."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from tests.helpers.repository import REPOSITORY

SCRIPTS = REPOSITORY / "scripts"


def load_script(path: str) -> ModuleType:
    """A file of `scripts/`, which finds what lies beside it as it does when it is run."""
    place = SCRIPTS / path
    sys.path.insert(0, str(place.parent))
    try:
        spec = importlib.util.spec_from_file_location(place.stem, place)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[place.stem] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(place.parent))
