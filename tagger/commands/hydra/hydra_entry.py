"""Run a command under Hydra, with one-line errors; compose, read and write configurations."""

from __future__ import annotations

import copy
import difflib
import io
import itertools
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tagger.commands.hydra.mixed_sources import with_presets, without_presets
from tagger.commands.hydra.sweep import Sweep
from tagger.errors import UserError, install_command
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
    raise UserError(f"training and evaluation need the extra `train`; install it: {install_command('train')}") from None

_WITH_VALUES = frozenset(
    {"--config-dir", "-cd", "--config-name", "-cn", "--cfg", "-c", "--package", "-p", "--info", "-i"}
)
_FAILED, _WRONG_USE = 1, 2
_INTERRUPTED = 128 + 2  # what a shell reports of a program that Ctrl-C ended
_PIPE_CLOSED = 128 + 13  # and of one that nobody reads any more
_UNSAFE = re.compile(r"[^\w.+-]+", re.ASCII)  # Hydra takes only ASCII without quotes
_LONGEST_NAME = 100

Finished = Callable[[DictConfig, Path], bool]


def run(name: str, task: Callable[[DictConfig], None], arguments: list[str], finished: Finished | None = None) -> int:
    """Compose `conf/<name>.yaml` with a command line, which may have Hydra's own options, and call `task`.

    Each job of a multirun runs in a process of its own. The others continue if one fails or is interrupted.

    Args:
        name: of the command.
        task: called with the configuration.
        arguments: the command line.
        finished: whether a job of a multirun, given its configuration and folder, has nothing left to do.

    Returns:
        The exit code: 0, 1 if a file or folder fails, 2 for wrong use, 130 after Ctrl-C, 141 if nobody reads standard
        output any more. Of a multirun 1 or 2 if a job failed. Other errors of the task are raised.
    """
    program, code = f"{name}.py", 0
    failures: list[Exception] = []
    sweep = Sweep(program, ["-m", "tagger", name])
    for warning in warnings_of(map(name_of, arguments)):
        print(in_a_line(warning), file=sys.stderr)
    arguments = [new_argument(argument) for argument in arguments]
    started_as = sys.argv
    if sys.argv[len(sys.argv) - len(arguments) :] != arguments:  # `tagger train` has the command's name before them
        started_as = [*sys.argv[: 2 if sys.argv[1:2] == [name] else 1], *arguments]

    def job(config: DictConfig) -> None:
        sys.argv = started_as  # Lightning starts a run's other processes with these
        try:
            if HydraConfig.get().mode is RunMode.MULTIRUN:
                _run_in_a_process(config, sweep, finished)
            else:
                _report_old_names(config)
                task(config)
            print(end="", flush=True)
        except Exception as error:  # kept, as Hydra would print a line of its own
            failures.append(error)

    _prepare()
    sys.argv = [sys.argv[0], *_options_first(arguments)]
    try:
        hydra.main(version_base="1.3", config_path=str(shipped_folder("conf")), config_name=name)(job)()
        if failures:
            raise failures[0]
    except KeyboardInterrupt as error:
        code = _report(program, f"stopped by Ctrl-C{f' {error}' if error.args else ''}", _INTERRUPTED)
    except BrokenPipeError:  # --help | head
        code = _PIPE_CLOSED
    except UserError as error:
        code = _report(program, str(error), _WRONG_USE)
    except MemoryError:
        code = _report(program, "out of memory; take a smaller model, or a device that has more", _WRONG_USE)
    except Exception as error:
        if error not in failures:  # Hydra's
            code = _report(program, reason(error, lambda: _setting_names(name, arguments)), _WRONG_USE)
        elif isinstance(error, OSError):
            code = _report(program, f"{error.filename or 'standard output'}: {error.strerror or error}", _FAILED)
        else:
            raise
    finally:
        code = max(code, sweep.close())
    let_go_of_output(flush=code != _PIPE_CLOSED)
    return code


def _options_first(arguments: Sequence[str]) -> list[str]:
    """Put Hydra's options before all overrides: Hydra refuses options among them."""
    options: list[str] = []
    overrides: list[str] = []
    for number, argument in enumerate(arguments):
        is_value = number > 0 and arguments[number - 1] in _WITH_VALUES and "=" not in argument
        (options if argument.startswith("-") or is_value else overrides).append(argument)
    return [*options, *overrides]


def _report(program: str, problem: str, code: int) -> int:
    print(in_a_line(f"{program}: {problem}"), file=sys.stderr)
    return code


def _prepare() -> None:
    os.environ["HYDRA_FULL_ERROR"] = "1"  # raise errors instead of printing several lines and exiting with 1
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


def _run_in_a_process(config: DictConfig, sweep: Sweep, finished: Finished | None) -> None:
    """Run a job of a multirun in a process of its own, or skip it if it has finished."""
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


def settings_of(config: DictConfig) -> dict[str, Any]:
    """Convert a configuration to plain dictionaries: interpolations resolved, old names replaced, sources of data
    complete.

    Raises:
        UserError: an interpolation cannot be resolved, or a source of data is wrong.
    """
    return with_presets(_plain(config), _preset_of_data)


def _plain(config: DictConfig) -> dict[str, Any]:
    try:
        settings = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise UserError(reason(error)) from error
    assert isinstance(settings, dict)
    return with_new_names({str(key): value for key, value in settings.items()})


def _preset_of_data(name: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Compose a preset of `conf/data/`, and override settings of it."""
    try:
        preset = copy.deepcopy(_composed_data(name))
    except HydraException:
        raise UserError(f"no such preset; there are {', '.join(choices('data'))}") from None
    OmegaConf.set_struct(preset, False)
    for key, value in overrides.items():
        if key not in preset:
            close = difflib.get_close_matches(key, map(str, preset), n=1)
            hint = f"did you mean {close[0]}?" if close else "conf/data/base.yaml has all that can be set"
            raise UserError(f"{key}: no such setting; {hint}")
        preset[key] = value
    return _plain(preset)


def short_source(source: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a source of data that differ from those of its preset."""
    return without_presets(source, _preset_of_data)


@cache
def _composed_data(name: str) -> DictConfig:
    return _composed(f"data/{name}", ()).data


def is_composed(config: DictConfig, key: str) -> bool:
    """Return whether a setting is an interpolation of others, or of the time, instead of a given value."""
    return OmegaConf.is_interpolation(config, key)


def given() -> list[str]:
    """Return the names on this job's command line: settings, and groups with a choice."""
    overrides = OmegaConf.to_container(HydraConfig.get().overrides.task, resolve=False)  # a value may hold ${…}
    assert isinstance(overrides, list)
    return _names(list(map(str, overrides)))


def _names(overrides: Sequence[str]) -> list[str]:
    return [override.key_or_group for override in OverridesParser.create().parse_overrides(list(overrides))]


def compose(name: str, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Compose `conf/<name>.yaml` with overrides.

    Raises:
        UserError: an override is wrong.
    """
    OmegaConf.register_new_resolver("job_name", _job_name, replace=True)
    overrides = [new_argument(override) for override in overrides]
    try:
        return settings_of(_composed(name, overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(reason(error, lambda: _setting_names(name, overrides))) from error


def composed(name: str, overrides: Sequence[str]) -> tuple[DictConfig, list[str]]:
    """Compose `conf/<name>.yaml` with overrides, outside of any command.

    Returns:
        The configuration, and the names in the overrides: settings, and groups with a choice.

    Raises:
        UserError: an override is wrong.
    """
    OmegaConf.register_new_resolver("job_name", _job_name, replace=True)
    overrides = [new_argument(override) for override in overrides]
    try:
        return _composed(name, overrides), _names(overrides)
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(reason(error, lambda: _setting_names(name, overrides))) from error


def _composed(name: str, overrides: Sequence[str]) -> DictConfig:
    """Compose; inside a Hydra job with the job's own Hydra, as there is only one at a time."""
    if GlobalHydra().is_initialized():
        return hydra.compose(name, overrides=list(overrides))
    with hydra.initialize_config_dir(str(shipped_folder("conf")), version_base="1.3"):
        return hydra.compose(name, overrides=list(overrides))


def choices(group: str) -> list[str]:
    """Return the names of a group's choices, sorted."""
    return sorted(path.stem for path in (shipped_folder("conf") / group).glob("*.yaml"))


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a mapping from a YAML file; its names are not split at dots.

    Raises:
        UserError: the file cannot be read, or holds something else.
    """
    found = _load(path, "not YAML: {}")
    if not isinstance(found, DictConfig):
        raise UserError(f"{path}: expected a mapping, got a list")
    return _plain(found)


def read_config(path: Path) -> dict[str, Any]:
    """Read the settings that `save_config` wrote.

    Raises:
        UserError: the file cannot be read, or holds something else.
    """
    found = _load(path, "damaged: {}; train again")
    if not isinstance(found, DictConfig) or OmegaConf.select(found, "data.title") is None:
        raise UserError(f"{path}: no configuration of a run; train again")
    return _plain(found)


def _load(path: Path, problem: str) -> Any:
    try:
        return OmegaConf.load(path)
    except OSError as error:
        raise UserError(f"{path}: cannot read: {error.strerror or error}") from error
    except Exception as error:  # of several packages, one for each way in which YAML can be damaged
        raise UserError(f"{path}: {problem.format(error)}") from error


def sweep_jobs(folder: Path) -> list[list[str]]:
    """Return the overrides that each job of a multirun into `folder` varies; empty for another folder."""
    record = folder / "multirun.yaml"
    if not record.exists():
        return []
    values: dict[str, list[str]] = {}  # like Hydra, take the last value of a key given twice
    for override in OverridesParser.create().parse_overrides(OmegaConf.load(record).hydra.overrides.task):
        key = override.get_key_element()
        swept = override.is_sweep_override()
        values[key] = [f"{key}={value}" for value in override.sweep_string_iterator()] if swept else [""]
    return [[choice for choice in job if choice] for job in itertools.product(*values.values())]


def partial(config: Mapping[str, Any]) -> Callable[..., Any]:
    """Return the callable that `_target_` names in the user's own configuration, with its settings bound.

    Raises:
        UserError: it cannot be found.
    """
    try:
        return hydra.utils.instantiate(dict(config), _partial_=True)
    except HydraException as error:
        raise UserError(reason(error)) from error


def output_folder() -> Path:
    """Return the folder of this job. All processes of a run share it; each job of a multirun has its own."""
    return Path(HydraConfig.get().runtime.output_dir)


def save_config(settings: Mapping[str, Any], path: Path) -> None:
    """Write settings as YAML, in the form that `settings_of` returns."""
    with written_whole(path) as stream:
        stream.write(OmegaConf.to_yaml(OmegaConf.create(dict(settings))))


def folder_name(text: str) -> str:
    """Turn a text into a folder name that needs no quotes in later commands; "" if nothing is left."""
    return _UNSAFE.sub("-", text)[:_LONGEST_NAME].strip("-_.")


def _job_name(overrides: str) -> str:
    return folder_name(overrides) or "defaults"


def _setting_names(name: str, overrides: Sequence[str]) -> list[str]:
    """Return the dotted names of all settings of `conf/<name>.yaml`, with the groups chosen by these overrides."""
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
