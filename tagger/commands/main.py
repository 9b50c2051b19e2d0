"""List all commands in one table, run one, and make the parser that some of them share."""

from __future__ import annotations

import contextlib
import difflib
import sys
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from importlib import import_module
from typing import NamedTuple

from tagger.errors import UserError
from tagger.files import let_go_of_output
from tagger.version import __version__

VERSION = f"tagger {__version__}"
_INTERRUPTED = 128 + 2  # what a shell reports of a program that Ctrl-C ended
_PIPE_CLOSED = 128 + 13  # and of one that nobody reads any more


class Command(NamedTuple):
    """A command: the module whose `main` runs it, and what it does in one line."""

    module: str
    summary: str


COMMANDS = {
    "train": Command("tagger.commands.train", "train a model on a data set"),
    "pretrain": Command("tagger.commands.pretrain", "learn a language model from raw text, for a tagger to start from"),
    "evaluate": Command("tagger.commands.evaluate", "score a model or a file of predictions, or compare runs"),
    "tag": Command("tagger.commands.tag", "tag text: files, folders or standard input"),
    "generate": Command("tagger.commands.generate", "generate text with a language model"),
    "tune": Command("tagger.commands.tune", "search for the training settings with the best dev score"),
    "summarise": Command("tagger.commands.summarise", "print mean and deviation of scores over the seeds of runs"),
    "explain": Command("tagger.commands.explain", "show the gates, memory and reasons behind the tags of a sentence"),
    "convert": Command("tagger.commands.convert", "convert a labelled file to another format"),
    "debug": Command("tagger.commands.debug", "look for what is wrong with a data set before training"),
    "prelabel": Command("tagger.commands.prelabel", "label raw text as suggestions for an annotation tool"),
    "suggest": Command("tagger.commands.suggest", "choose the sentences to label next"),
    "agree": Command("tagger.commands.agree", "compare annotators who labelled the same texts"),
    "doubt": Command("tagger.commands.doubt", "find labels that are probably wrong, by cross-validation"),
    "serve": Command("tagger.commands.serve", "serve models over HTTP, with a page to try them"),
    "publish": Command("tagger.commands.publish", "push a model folder to the Hugging Face Hub"),
    "export_onnx": Command("tagger.commands.export_onnx", "write a model's network as model.onnx"),
}
_WITH_A_SCRIPT = (
    "train",
    "pretrain",
    "evaluate",
    "tag",
    "generate",
)  # train.py and so on; errors begin with these names


def main() -> int:
    """Run the `tagger` command; returns the exit code."""
    command, arguments = sys.argv[1:2], sys.argv[2:]
    if command in (["-h"], ["--help"]):
        print(_help())
        return 0
    if command == ["--version"]:
        print(VERSION)
        return 0
    if not command:
        print(_help(), file=sys.stderr)
        return 2
    if command[0] not in COMMANDS:
        close = difflib.get_close_matches(command[0], COMMANDS, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        print(UserError(f"tagger: no command {command[0]}; {hint}there are {', '.join(COMMANDS)}"), file=sys.stderr)
        return 2
    return run_command(command[0], arguments)


def run_command(name: str, arguments: list[str] | None = None) -> int:
    """Import and run a command; returns the exit code.

    Args:
        name: of the command.
        arguments: its command line; None takes the program's own.
    """
    program = f"{name}.py" if name in _WITH_A_SCRIPT else f"tagger {name}"
    arguments = sys.argv[1:] if arguments is None else arguments
    if name != "tag" and "--version" in arguments:  # tag has its own; Hydra would take it in train and evaluate
        print(VERSION)
        return 0
    try:
        return int(import_module(COMMANDS[name].module).main(arguments))
    except UserError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # also during the imports, which take seconds
        with contextlib.suppress(OSError):
            print(f"{program}: stopped by Ctrl-C", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        let_go_of_output(flush=False)
        return _PIPE_CLOSED
    except ModuleNotFoundError as error:
        if (error.name or "tagger").split(".")[0] == "tagger":
            raise
        print(
            f"{program}: {error.name} is not installed in this environment ({sys.executable}); activate the one that "
            "`make train` made (. .venv/bin/activate), or pip install .",
            file=sys.stderr,
        )
        return 2


def command_parser(name: str, description: str | None) -> ArgumentParser:
    """Return a parser without options. `--help` prints the description, the docstring of the command's module."""
    form = RawDescriptionHelpFormatter
    return ArgumentParser(prog=f"tagger {name}", description=description, formatter_class=form, allow_abbrev=False)


def whole_number(text: str) -> int:
    """Read an option's whole number, at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"expected a whole number from 1, got {text!r}")
    return int(text)


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {command.summary}" for name, command in COMMANDS.items()]
    usage = "usage: tagger COMMAND [OPTION …]        or: python -m tagger COMMAND [OPTION …]"
    return "\n".join([usage, "", *lines, "", "`tagger COMMAND --help` says more."])
