"""Tables for LaTeX: every character of a name is a character in print."""

from __future__ import annotations

from tagger.runs.tables import as_latex


def test_a_table_has_its_rules_and_columns() -> None:
    assert as_latex(("data", "F1"), [("wnut", "48.3 ± 0.4")], left=1).splitlines() == [
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"data & F1 \\",
        r"\midrule",
        r"wnut & 48.3 $\pm$ 0.4 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_characters_that_latex_takes_for_commands_are_escaped() -> None:
    row = as_latex(("a",), [("50% of $x_{1}^2 & \\y~#",)], left=1).splitlines()[4]
    expected = r"50\% of \$x\_\{1\}\textasciicircum{}2 \& \textbackslash{}y\textasciitilde{}\# \\"
    assert row == expected
