"""How speed and memory go with the length of the input, of its sentences, and the number of tags; a plot of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tagger.errors import UserError, install_command

from .material import Tokens, as_text, splices
from .measuring import Failed, measure, significant
from .systems import HERE, OURS, System, Workplace, our_systems, task_command

SMALLEST = 10**4
LENGTHS = (5, 15, 50, 150, 500, 1500, 5000)
TAGS = (2, 5, 10, 20, 50, 100, 200)
_TOKENS = 200_000  # for the lengths and the tags
_Row = dict[str, float]


def scale(
    sentences: Sequence[Tokens], model: Path, place: Workplace, *, most: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Measure this tagger.

    Args:
        sentences: to make input of.
        model: its model folder.
        place: where.
        most: tokens of the longest input.
        say: told of each figure.

    Returns:
        Rows by what was varied: `tokens` and `sentence_length`, text file to JSONL file, and `tags`, pre-tokenised.

    Raises:
        Failed: a command failed.
    """
    system = our_systems([])[0]
    found: dict[str, list[_Row]] = {"tokens": [], "sentence_length": [], "tags": []}
    for tokens in sizes(most):
        found["tokens"].append(_text_file({"tokens": tokens}, stream(sentences, tokens), system, model, place))
        say(_shown(found["tokens"][-1]))
    for length in LENGTHS:
        row = {"sentence_length": length}
        found["sentence_length"].append(_tokens_file(row, cut(sentences, length, _TOKENS), system, model, place))
        say(_shown(found["sentence_length"][-1]))
    for tags in TAGS:
        random_model = place.work / "models" / f"random_{tags}_tags"
        command = [place.python(None), HERE / "random_model.py", model, random_model, str(tags)]
        measure(command, place.variables(ours=True), log=place.work / "output" / "random_model.log")
        found["tags"].append(_tokens_file({"tags": tags}, stream(sentences, _TOKENS), system, random_model, place))
        say(_shown(found["tags"][-1]))
    return found


def sizes(most: int) -> list[int]:
    """Powers of ten from the smallest input on, and `most` itself."""
    powers = itertools.takewhile(lambda size: size < most, (SMALLEST * 10**n for n in itertools.count()))
    return [*powers, most]


def stream(sentences: Sequence[Tokens], tokens: int) -> Iterator[Tokens]:
    """So many tokens, or a sentence's more: the sentences, then splices of them, then, if need be, all that again."""
    total = 0
    for sentence in itertools.chain.from_iterable(
        itertools.chain(sentences, splices(sentences)) for _ in itertools.count()
    ):
        if total >= tokens:
            return
        yield sentence
        total += len(sentence)


def cut(sentences: Sequence[Tokens], length: int, tokens: int) -> Iterator[Tokens]:
    """The sentences' tokens one after the other, in sentences of one length."""
    flow = itertools.chain.from_iterable(stream(sentences, tokens))
    while piece := [*itertools.islice(flow, length)]:
        yield piece


def _text_file(row: _Row, sentences: Iterable[Tokens], system: System, model: Path, place: Workplace) -> _Row:
    """Tag a text file into a JSONL file, start and loading included."""
    source, output = place.work / "scaling" / "text.txt", place.work / "scaling" / "out" / "text.jsonl"
    source.parent.mkdir(parents=True, exist_ok=True)
    tokens = 0
    with source.open("w", encoding="utf-8", newline="\n") as stream:
        for sentence in sentences:
            stream.write(as_text(sentence)[0] + "\n")
            tokens += len(sentence)
    try:
        return _measured(row, "raw", tokens, system, model, place, source, output)
    finally:
        for path in (source, output):
            path.unlink(missing_ok=True)


def _tokens_file(row: _Row, sentences: Iterable[Tokens], system: System, model: Path, place: Workplace) -> _Row:
    """Tag lists of tokens, loading left out."""
    source, output = place.work / "scaling" / "tokens.jsonl", place.work / "scaling" / "out" / "tokens.jsonl"
    output.parent.mkdir(parents=True, exist_ok=True)
    made = list(sentences)
    source.write_text("".join(json.dumps(sentence) + "\n" for sentence in made), encoding="utf-8")
    try:
        return _measured(row, "pretokenised", sum(map(len, made)), system, model, place, source, output)
    finally:
        for path in (source, output):
            path.unlink(missing_ok=True)


def _measured(
    row: _Row, task: str, tokens: int, system: System, model: Path, place: Workplace, source: Path, output: Path
) -> _Row:
    command = task_command(system, task, model, place, source=source, output=output)
    measured = measure(command, place.variables(ours=system.model == OURS), log=output.parent / f"{task}.log")
    events = measured.events()
    if task == "pretokenised" and not events:
        raise Failed("tagging told no time")
    seconds = events[0][1]["seconds"] if events else measured.seconds
    speed, memory = significant(tokens / seconds), significant(measured.peak_bytes / 1e6)
    return {**row, "tokens_per_second": speed, "peak_rss_mb": memory}


def _shown(row: _Row) -> str:
    (name, value), *_ = row.items()
    return f"{name.replace('_', ' ')} {value:,}: {row['tokens_per_second']:,.0f} tokens/s, {row['peak_rss_mb']:,.0f} MB"


def plot(found: dict[str, list[_Row]], path: Path) -> None:
    """Draw the rows: speed above, memory below, a column for each thing varied. SVG, PNG or PDF by the file's name.

    Raises:
        UserError: Matplotlib is not installed, or the file cannot be written.
    """
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise UserError(f"--scaling draws with Matplotlib; install the extra: {install_command('report')}") from None
    axes_of = {
        "tokens": "tokens of input (text file to JSONL file)",
        "sentence_length": f"tokens per sentence ({_TOKENS:,} pre-tokenised)",
        "tags": f"tags ({_TOKENS:,} tokens, pre-tokenised)",
    }
    lines = {"tokens_per_second": "tokens/s", "peak_rss_mb": "peak RSS, MB"}
    # names inside an SVG that are the same each time, and its text as text
    with matplotlib.rc_context({"svg.hashsalt": "scaling", "svg.fonttype": "none"}):
        figure = Figure(figsize=(4 * len(axes_of), 3 * len(lines)), layout="constrained")
        axes = figure.subplots(len(lines), len(axes_of))
        for (line, (key, label)), (column, (name, title)) in itertools.product(
            enumerate(lines.items()), enumerate(axes_of.items())
        ):
            shown, values = axes[line][column], [row[key] for row in found[name]]
            shown.plot([row[name] for row in found[name]], values, marker="o")
            shown.set(xscale="log", xlabel=title, ylabel=label, ylim=(0, 1.1 * max(values)))
            shown.yaxis.set_major_formatter("{x:,.0f}")
            shown.grid(alpha=0.3)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot draw there: {error}") from error
