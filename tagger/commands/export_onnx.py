"""Write a model's network as `model.onnx` into its folder.

    python -m tagger export_onnx --model runs/latest/model

Any ONNX runtime can run it: `tagger/engines/onnx_export.py` lists inputs and outputs. `tag --engine onnx` does not need
the file. The graph is compared with the NumPy engine before it is written. Needs the extra `onnx`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tagger.commands.main import command_parser
from tagger.model_folder.contents import GRAPH
from tagger.printable import in_a_line


def main(arguments: Sequence[str]) -> int:
    """Export a model; returns 0.

    Raises:
        UserError: the folder cannot be read or written, the model has an encoder, or the graph computes something else.
    """
    parser = command_parser("export_onnx", __doc__)
    parser.add_argument("--model", required=True, type=Path, metavar="DIR", help="the model folder")
    path = parser.parse_args(arguments).model
    from tagger.engines.onnx_engine import write_checked_graph  # here, as its import needs the extra

    size, difference = write_checked_graph(path)
    compared = f"differs from the NumPy engine by {difference:.1g} of the largest value"
    print(in_a_line(f"{path / GRAPH}: {size:,} bytes; {compared}"))
    return 0
