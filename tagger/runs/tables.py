"""Lay out tables, for a terminal, for Markdown and for LaTeX."""

from __future__ import annotations

from collections.abc import Sequence

from tagger.printable import visible_on_page

Row = Sequence[str]
_LATEX = str.maketrans({
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": "$-$",
    "…": r"\ldots{}",
})  # fmt: skip


def as_text(header: Row, rows: Sequence[Row], *, left: int) -> str:
    """Pad columns to a common width. The first `left` of them are flush left, the others flush right."""
    shown = [[visible_on_page(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = []
    for row in shown:
        cells = [
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def as_markdown(header: Row, rows: Sequence[Row], *, left: int) -> str:
    """Lay out a Markdown table; arguments as in `as_text`."""
    rule = ["---" if number < left else "--:" for number in range(len(header))]
    lines = [
        f"| {' | '.join(visible_on_page(cell).replace('|', chr(92) + '|') for cell in row)} |"
        for row in (header, *rows)
    ]
    return "\n".join([lines[0], f"|{'|'.join(rule)}|", *lines[1:]])


def as_latex(header: Row, rows: Sequence[Row], *, left: int) -> str:
    """Lay out a LaTeX table, which needs the package booktabs; arguments as in `as_text`."""
    first, *others = [
        f"{' & '.join(visible_on_page(cell).translate(_LATEX) for cell in row)} \\\\" for row in (header, *rows)
    ]
    columns = "l" * left + "r" * (len(header) - left)
    body = [r"\toprule", first, r"\midrule", *others, r"\bottomrule"]
    return "\n".join([f"\\begin{{tabular}}{{{columns}}}", *body, r"\end{tabular}"])
