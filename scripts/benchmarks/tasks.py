"""What a system is asked in a process of its own. It runs in any system's environment, on Python alone.

```
python WORKER.py pretokenised --model M --input TOKENS.jsonl --output TAGS.jsonl    lists of tokens → lists of tags
python WORKER.py raw          --model M --input TEXT.txt     --output RECORDS.jsonl lines of text → a record each
python WORKER.py latency      --model M --input TOKENS.jsonl                        one sentence at a time
python WORKER.py start        --model M --input TEXT.txt                            the first line
```

Each task writes an event, a JSON object, on standard output. Only `pretokenised` and `latency` time anything: what is
between tokens in memory and tags in memory, after the model was loaded, with whatever caches it has still empty.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from exchange import read_lines, write_lines


class System(Protocol):
    """A tagger with its model loaded."""

    def tag(self, sentences: Iterable[list[str]]) -> Iterable[Sequence[str]]:
        """The tags of each sentence, in order: IOB2 or plain."""
        ...

    def tag_one(self, sentence: list[str]) -> Sequence[str]:
        """The tags of one sentence, by the shortest way there is."""
        ...

    def records(self, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Of each line of text: `text`, and `entities` with `start`, `end`, `label` and `text`, or plain `tags`."""
        ...


def event(**content: Any) -> None:
    """Tell the measuring process something, now."""
    print(json.dumps(content), flush=True)


def serve(load: Callable[[argparse.Namespace], System], description: str | None, *options: str) -> None:
    """Do the task that the command line asks for.

    Args:
        load: opens the model, given the parsed command line.
        description: of the worker, for its help.
        options: names of further options, each with a text.
    """
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    tasks = {"pretokenised": _pretokenised, "raw": _raw, "latency": _latency, "start": _start}
    parser.add_argument("task", choices=tasks)
    for name in ("--model", "--input"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--output", type=Path)
    for name in options:
        parser.add_argument(name, default="")
    arguments = parser.parse_args()
    tasks[arguments.task](load(arguments), arguments)


def _pretokenised(system: System, arguments: argparse.Namespace) -> None:
    sentences = read_lines(arguments.input)
    began = time.perf_counter()
    tags = list(system.tag(sentences))
    event(seconds=time.perf_counter() - began)
    write_lines(arguments.output, tags)


def _raw(system: System, arguments: argparse.Namespace) -> None:
    with arguments.output.open("w", encoding="utf-8", newline="\n") as stream:
        for record in system.records(_lines(arguments.input)):
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")


def _latency(system: System, arguments: argparse.Namespace) -> None:
    took = []
    for sentence in read_lines(arguments.input):
        began = time.perf_counter()
        system.tag_one(sentence)
        took.append(time.perf_counter() - began)
    event(each=took)


def _start(system: System, arguments: argparse.Namespace) -> None:
    record = next(iter(system.records(_lines(arguments.input))))
    event(tagged=record["text"])


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            yield line.removesuffix("\n")
