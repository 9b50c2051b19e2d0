"""Running a Hydra task so that a user's mistake is one line and exit code 2."""

from __future__ import annotations

import io
import itertools
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tagger.commands.hydra.sweep import Sweep
from tagger.errors import UserError
from tagger.files import let_go_of_output, shipped_folder, written_whole
from tagger.printable import in_a_line
from tagger.renamed_settings import name_of, new_argument, new_name, old_names, warnings_of, with_new_names

try:
    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException
    from hydra.types import RunMode
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from tagger.commands.hydra.error_messages import as_text, reason
except ImportError:
    raise UserError("training and evaluation need the extra `train`; install it: pip install 'tagger[train]'") from None

_SWEEP = ("-m", "--multirun")
_INTERRUPTED = 128 + 2  # of one that Ctrl-C ended
_PIPE_CLOSED = 128 + 13  # what a shell reports of a program that SIGPIPE ended
_UNSAFE = re.compile(r"[^\w.+-]+", re.ASCII)  # what Hydra takes without quotes is ASCII
_LONGEST_NAME = 100


Finished = Callable[[DictConfig, Path], bool]


def run(name: str, task: Callable[[DictConfig], None], arguments: list[str], finished: Finished | None = None) -> int:
    """Compose `conf/<name>.yaml` with the arguments, Hydra's own options among them, and call `task`.

    The jobs of a multirun run in processes of their own; one that fails or is interrupted is told of, and the others
    go on.

    Args:
        name: of the command.
        task: called with the configuration.
        arguments: the command line.
        finished: tells of a multirun's job, by its configuration and folder, whether there is nothing left to do.

    Returns:
        The exit code: 0, 1 where a file or folder fails, 2 for wrong use, 130 after Ctrl-C, 141 where nobody reads
        standard output any more. Of a multirun 1 or 2 where a job failed. Other errors of the task are raised.
    """
    program = f"{name}.py"
    codes: list[int] = []
    unforeseen: list[Exception] = []
    sweep = Sweep(program, ["-m", "tagger", name])
    for warning in warnings_of(map(name_of, arguments)):
        print(in_a_line(warning), file=sys.stderr)
    arguments = [new_argument(argument) for argument in arguments]
    started_as = sys.argv
    if sys.argv[len(sys.argv) - len(arguments) :] != arguments:  # `tagger train` has the command's name before them
        started_as = [*sys.argv[: 2 if sys.argv[1:2] == [name] else 1], *arguments]

    def job(config: DictConfig) -> None:
        sys.argv = started_as  # with which Lightning starts a run's other processes
        try:
            if HydraConfig.get().mode is RunMode.MULTIRUN:
                _hand_over(config, sweep, finished)
            else:
                _report_old_names(config)
                task(config)
            print(end="", flush=True)
        except (UserError, OSError) as error:
            codes.append(_told(program, error))
        except MemoryError:
            codes.append(_told(program, UserError("out of memory; take a smaller model, or a device that has more")))
        except Exception as error:
            unforeseen.append(error)
            raise

    _prepare()
    # Hydra takes -m before or behind all overrides, but not among them
    sys.argv = [sys.argv[0], *sorted(arguments, key=lambda argument: argument not in _SWEEP)]
    try:
        hydra.main(version_base="1.3", config_path=str(shipped_folder("conf")), config_name=name)(job)()
    except KeyboardInterrupt as error:
        print(in_a_line(f"{program}: stopped by Ctrl-C{f' {error}' if error.args else ''}"), file=sys.stderr)
        codes = [_INTERRUPTED]
    except BrokenPipeError:  # --help | head
        codes = [_PIPE_CLOSED]
    except Exception as error:
        if error in unforeseen:
            raise
        print(in_a_line(f"{program}: {reason(error, lambda: _names(name, arguments))}"), file=sys.stderr)
        codes = [2]
    finally:
        codes.append(sweep.close())
    let_go_of_output(flush=_PIPE_CLOSED not in codes)
    return max(codes)


def _prepare() -> None:
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raise what is wrong instead of printing several lines and exiting with 1
    OmegaConf.register_new_resolver("job_name", _job_name, replace=True)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # labels of any script, on a terminal of any encoding


def _report_old_names(config: DictConfig) -> None:
    """Warn of the old names in a job's configuration files.

    Raises:
        UserError: the command line has the new name of one of them: which of the two counts would be a guess.
    """
    settings = OmegaConf.to_container(config, resolve=False)
    assert isinstance(settings, dict)
    names = old_names({str(key): value for key, value in settings.items()})
    for name in names:
        if any(f"{one}.".startswith(f"{new_name(name)}.") for one in given()):
            raise UserError(
                f"{name}: an old name of {new_name(name)}, which is given too; rename it in your configuration file"
            )
    for warning in warnings_of(names):
        print(in_a_line(warning), file=sys.stderr)


def _hand_over(config: DictConfig, sweep: Sweep, finished: Finished | None) -> None:
    """Have a job of a multirun done in a process of its own, or skip it."""
    job = HydraConfig.get()
    overrides = list(job.overrides.task)
    name = " ".join(overrides)
    if "run_dir" in config:
        overrides.append(as_text("run_dir", job.runtime.output_dir))
        name = str(Path(job.sweep.dir, job.sweep.subdir))
        if finished and finished(config, output_folder()):
            sweep.skip(name)
            return
    places = [source.path for source in job.runtime.config_sources if source.provider == "command-line"]
    searched = [override for override in job.overrides.hydra if override.startswith("hydra.searchpath=")]
    sweep.run(name, [*overrides, *searched, *(f"--config-dir={place}" for place in places)])


def _told(program: str, error: UserError | OSError) -> int:
    """Tell of a job's failure in a line; returns the exit code."""
    if isinstance(error, BrokenPipeError):
        return _PIPE_CLOSED
    if isinstance(error, UserError):
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    place = error.filename or "standard output"
    print(in_a_line(f"{program}: {place}: {error.strerror or error}"), file=sys.stderr)
    return 1


def settings_of(config: DictConfig) -> dict[str, Any]:
    """Convert a configuration to plain dictionaries, interpolations resolved, old names replaced.

    Raises:
        UserError: one of them leads nowhere.
    """
    try:
        settings = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise UserError(reason(error)) from error
    assert isinstance(settings, dict)
    return with_new_names({str(key): value for key, value in settings.items()})


def is_composed(config: DictConfig, key: str) -> bool:
    """Whether a setting is made of others, or of the time, rather than given."""
    return OmegaConf.is_interpolation(config, key)


def given() -> list[str]:
    """The names of what stands on this job's command line: settings, and groups of which something was chosen."""
    overrides = OverridesParser.create().parse_overrides(list(HydraConfig.get().overrides.task))
    return [override.key_or_group for override in overrides]


def compose(name: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """The settings that `conf/<name>.yaml` and overrides give.

    Raises:
        UserError: an override does not fit.
    """
    OmegaConf.register_new_resolver("job_name", _job_name, replace=True)
    overrides = [new_argument(override) for override in overrides]
    try:
        return settings_of(_composed(name, overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(reason(error, lambda: _names(name, overrides))) from error


def _composed(name: str, overrides: Sequence[str]) -> DictConfig:
    """Within a Hydra job by its Hydra, of which there is but one at a time."""
    if GlobalHydra().is_initialized():
        return hydra.compose(name, overrides=list(overrides))
    with hydra.initialize_config_dir(str(shipped_folder("conf")), version_base="1.3"):
        return hydra.compose(name, overrides=list(overrides))


def choices(group: str) -> list[str]:
    """The names of a group's choices, sorted."""
    return sorted(path.stem for path in (shipped_folder("conf") / group).glob("*.yaml"))


def config_file(group: str, name: str) -> Path:
    """The file of a group's choice."""
    return shipped_folder("conf") / group / f"{name}.yaml"


def read_yaml(path: Path) -> dict[str, Any]:
    """A mapping from a file of YAML, its names as they stand there.

    Raises:
        UserError: it cannot be read, or holds something else.
    """
    try:
        config = OmegaConf.load(path)
        found = OmegaConf.to_container(config, resolve=True)
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or error}") from error
    except Exception as error:  # of several packages, one for each way in which YAML can be damaged
        raise UserError(f"{path}: not YAML: {error}") from error
    if not isinstance(found, dict):
        raise UserError(f"{path}: expected a mapping, got a list")
    return {str(key): value for key, value in found.items()}


def read_config(path: Path) -> dict[str, Any]:
    """The settings that `save_config` wrote.

    Raises:
        UserError: it cannot be read, or is something else.
    """
    try:
        config = OmegaConf.load(path)
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or error}") from error
    except Exception as error:  # of several packages, one for each way in which YAML can be damaged
        raise UserError(f"{path}: damaged: {error}; train again") from error
    if not isinstance(config, DictConfig) or OmegaConf.select(config, "data.title") is None:
        raise UserError(f"{path}: no configuration of a run; train again")
    return settings_of(config)


def sweep_jobs(folder: Path) -> list[list[str]]:
    """What the jobs of a multirun into `folder` vary, by their numbers; empty where it is no multirun's folder."""
    record = folder / "multirun.yaml"
    if not record.exists():
        return []
    values: dict[str, list[str]] = {}  # of a key given twice Hydra takes the last, too
    for override in OverridesParser.create().parse_overrides(OmegaConf.load(record).hydra.overrides.task):
        key = override.get_key_element()
        swept = override.is_sweep_override()
        values[key] = [f"{key}={value}" for value in override.sweep_string_iterator()] if swept else [""]
    return [[choice for choice in job if choice] for job in itertools.product(*values.values())]


def partial(config: DictConfig) -> Callable[..., Any]:
    """What `_target_` in the user's own configuration names, with its settings filled in but not yet called.

    Raises:
        UserError: it cannot be found.
    """
    try:
        return hydra.utils.instantiate(config, _partial_=True)
    except HydraException as error:
        raise UserError(reason(error)) from error


def output_folder() -> Path:
    """The folder of this job: the same for all processes of a run, another for each job of a multirun."""
    return Path(HydraConfig.get().runtime.output_dir)


def save_config(settings: Mapping[str, Any], path: Path) -> None:
    """Write settings, as `settings_of` gives them, as YAML."""
    with written_whole(path) as stream:
        stream.write(OmegaConf.to_yaml(OmegaConf.create(dict(settings))))


def folder_name(text: str) -> str:
    """A text as a folder name without characters that later commands would trip over; "" where nothing is left."""
    return _UNSAFE.sub("-", text)[:_LONGEST_NAME].strip("-_.")


def _job_name(overrides: str) -> str:
    return folder_name(overrides) or "defaults"


def _names(name: str, overrides: Sequence[str]) -> list[str]:
    """Of all settings of `conf/<name>.yaml` with those of these overrides that choose of a group."""
    groups = [path.name for path in shipped_folder("conf").iterdir() if path.is_dir()]
    chosen = [override for override in overrides if override.partition("=")[0] in groups]
    try:
        return list(_dotted(OmegaConf.to_container(_composed(name, chosen)), ""))
    except (HydraException, OmegaConfBaseException):
        return []


def _dotted(settings: Any, prefix: str) -> Iterator[str]:
    for key, value in settings.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _dotted(value, f"{prefix}{key}.")
