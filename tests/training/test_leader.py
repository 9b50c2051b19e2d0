"""Which process leads, by what its launcher says in the environment."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tagger.errors import UserError
from tagger.training.process_group import is_leader

TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "4", "MASTER_ADDR": "a", "MASTER_PORT": "1"}
SLURM = {"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "2", "SLURM_JOB_NAME": "train"}
SHELL = {"SLURM_NTASKS": "1", "SLURM_JOB_NAME": "bash", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SLURM_") or name in (*TORCHRUN, "RANK", "LOCAL_RANK", "NODE_RANK", "GROUP_RANK"):
            monkeypatch.delenv(name)


def torchrun(node: int, local: int) -> dict[str, str]:
    return {**TORCHRUN, "GROUP_RANK": str(node), "LOCAL_RANK": str(local), "RANK": str(2 * node + local)}


def srun(node: int, local: int) -> dict[str, str]:
    return {
        **SLURM,
        "SLURM_NODEID": str(node),
        "SLURM_LOCALID": str(local),
        "SLURM_PROCID": str(2 * node + local),
    }


def by_hand(node: int, local: int) -> dict[str, str]:
    return {"NODE_RANK": str(node), "LOCAL_RANK": str(local)}


def in_a_shell_of_slurm(node: int, local: int) -> dict[str, str]:
    return {**SHELL, **by_hand(node, local)}


@pytest.mark.parametrize("launched", [torchrun, srun, by_hand, in_a_shell_of_slurm])
def test_one_of_four_leads(launched: Callable[[int, int], dict[str, str]]) -> None:
    found = {}
    for place in [(0, 0), (0, 1), (1, 0), (1, 1)]:
        with pytest.MonkeyPatch.context() as patched:
            for name, value in launched(*place).items():
                patched.setenv(name, value)
            found[place] = is_leader()
    assert found == {(0, 0): True, (0, 1): False, (1, 0): False, (1, 1): False}


def test_torchrun_within_slurm_is_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**srun(0, 0), **torchrun(0, 1)}.items():
        monkeypatch.setenv(name, value)
    assert not is_leader()


def test_a_process_that_nobody_launched_leads() -> None:
    assert is_leader()


def test_tasks_that_lightning_does_not_take_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_NTASKS", "4")
    with pytest.raises(UserError, match=r"^trainer: .*ntasks-per-node"):
        is_leader()
