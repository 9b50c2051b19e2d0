"""The compiled loops, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tagger.kernels import compiled, loops


@pytest.fixture(scope="session")
def machine_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An object file."""
    made = tmp_path_factory.mktemp("kernels") / "kernels.o"
    made.write_bytes(loops.machine_code())
    return made


@pytest.fixture(scope="session", params=["library", "object file"])
def loaded(request: pytest.FixtureRequest, machine_code: Path) -> compiled.Kernels:
    library = compiled._linked(machine_code)
    if request.param == "object file":
        return compiled.Kernels(machine_code)
    assert library is not None, "no linker on this machine"
    return compiled.Kernels(library)
