"""Running a Hydra task so that a user's mistake is one line and exit code 2."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tagger.errors import UserError

try:
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.errors import HydraException, OverrideParseException
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException
except ImportError:
    raise UserError("training and evaluation need the extra `train`; install it: pip install 'tagger[train]'") from None

_NOT_THERE = re.compile(r"Could not override '([^']*)'")
_NO_CHOICE = re.compile(
    r"Could not find '([^'/]+)/([^']+)'\s+Available options in '[^']*':((?:\s+\S+)*?)\s+Config search path"
)
_UNSAFE = re.compile(r"[^\w.+-]+")
_LONGEST_JOB_NAME = 100


def run(name: str, task: Callable[[DictConfig], None], arguments: list[str]) -> int:
    """Compose `conf/<name>.yaml` with the arguments, Hydra's own options among them, and call `task`.

    In a multirun, a job that fails by a user's mistake is told of and the others go on.

    Returns:
        The exit code: 0, 1 where a file or folder fails, 2 for wrong use, 130 after Ctrl-C. Other errors are raised.
    """
    program = f"{name}.py"
    mistakes: list[UserError] = []

    def job(config: DictConfig) -> None:
        try:
            task(config)
        except UserError as error:
            mistakes.append(error)
            print(f"{program}: {error}", file=sys.stderr)

    os.environ["HYDRA_FULL_ERROR"] = "1"  # raise what is wrong instead of printing several lines and exiting with 1
    OmegaConf.register_new_resolver("job_name", _job_name, replace=True)
    sys.argv = [sys.argv[0], *arguments]
    try:
        hydra.main(version_base="1.3", config_path=str(_config_folder()), config_name=name)(job)()
    except (HydraException, OmegaConfBaseException) as error:
        print(f"{program}: {_reason(error)}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{program}: {error.filename or 'input or output'}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{program}: stopped by Ctrl-C", file=sys.stderr)
        return 130
    return 2 if mistakes else 0


def settings_of(config: DictConfig) -> dict[str, Any]:
    """The composed configuration as plain dictionaries, interpolations resolved."""
    settings = OmegaConf.to_container(config, resolve=True)
    assert isinstance(settings, dict)
    return {str(key): value for key, value in settings.items()}


def partial(config: DictConfig) -> Callable[..., Any]:
    """What `_target_` in the user's own configuration names, with its settings filled in but not yet called.

    Raises:
        UserError: it cannot be found.
    """
    try:
        return hydra.utils.instantiate(config, _partial_=True)
    except HydraException as error:
        raise UserError(_reason(error)) from error


def output_folder() -> Path:
    """The folder of this job: the same for all processes of a run, another for each job of a multirun."""
    return Path(HydraConfig.get().runtime.output_dir)


def save_config(config: DictConfig, path: Path) -> None:
    """Write the composed configuration, interpolations resolved, as YAML."""
    path.parent.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, path, resolve=True)


def _config_folder() -> Path:
    """`conf/`: in the package where it was built into a wheel, else beside it in the checkout."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


def _job_name(overrides: str) -> str:
    """A job's overrides as a folder name without characters that later commands would trip over."""
    return _UNSAFE.sub("-", overrides)[:_LONGEST_JOB_NAME].strip("-_.") or "defaults"


def _reason(error: Exception) -> str:
    """Hydra's message, which may have many lines, in one, with what to do."""
    message = str(error)
    if unknown := _NOT_THERE.search(message):
        return f"{unknown[1]}: no such setting; look for the name in conf/ (--cfg job shows all that can be set)"
    if choice := _NO_CHOICE.search(message):
        group, name, choices = choice.groups()
        hint = "".join(f"did you mean {close}? " for close in difflib.get_close_matches(name, choices.split(), n=1))
        return f"{group}={name}: no such choice; {hint}there are {', '.join(choices.split())}"
    if isinstance(error, OverrideParseException):
        return f"{error.override}: cannot be read ({message.splitlines()[0]}); quote values: 'KEY=\"VALUE\"'"
    return " ".join(message.split())
