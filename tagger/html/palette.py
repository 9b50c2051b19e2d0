"""Define the colours of all pages (reports, tagged texts, gates), in light and dark, and those of labels."""

from __future__ import annotations

_LIGHT = (
    "--back: #f6f5f1; --card: #fffefb; --ink: #1d2126; --faint: #595f69; --line: #dddad2; "
    "--saturation: 70%; --light: 86%"
)
_DARK = (
    "--back: #14161a; --card: #1c1f24; --ink: #e9e6df; --faint: #a5abb5; --line: #343940; "
    "--saturation: 45%; --light: 28%"
)
_GOLDEN_ANGLE = 137.508  # degrees; steps of this size keep the hues of any number of labels apart

STYLE = f""":root {{ color-scheme: light dark; {_LIGHT} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_DARK} }} }}
mark[style] {{ background: hsl(var(--hue) var(--saturation) var(--light)) }}
"""


def label_hue(number: int) -> int:
    """Return the hue of label number `number`, in degrees. Set it as `--hue` of a `mark`; `STYLE` colours it."""
    return round(number * _GOLDEN_ANGLE) % 360
