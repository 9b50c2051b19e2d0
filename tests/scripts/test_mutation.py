"""The table of mutation testing names what there is."""

from __future__ import annotations

import pytest

from tests.conftest import REPOSITORY
from tests.helpers.scripts import load_script

mutation = load_script("mutation.py")
AREAS = mutation.AREAS


@pytest.mark.parametrize("name", AREAS)
def test_modules_and_their_tests_are_there(name: str) -> None:
    area = AREAS[name]
    assert all((REPOSITORY / "tagger" / module).is_file() for module in area.modules)
    assert all((REPOSITORY / "tests" / test).is_file() for test in area.tests)
    for module in area.modules:
        assert f"\n    tagger/{module}\n" in mutation.settings(area)
