"""The import contract, read from the source: packages import downwards only, each framework has one door.

Imports inside functions and for type checking count as well.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

PACKAGE = Path(__file__).parent.parent / "tagger"
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

BASE = ("config", "errors", "files", "palette", "printable", "untrusted")
ALLOWED = {  # by what a path begins with: what it may import of `tagger`, the longest beginning counts
    "": (),
    "__init__.py": ("errors", "corpus.sentence", "inference.tagger"),
    "__main__.py": ("commands.main",),
    "config.py": ("errors",),
    "errors.py": ("printable",),
    "files.py": ("errors",),
    "pages.py": ("errors", "printable"),
    "untrusted.py": ("errors",),
    "hub.py": ("errors",),
    "corpus/": ("corpus", "errors", "files"),
    "corpus/dataset_folder.py": ("errors", "untrusted"),
    "corpus/huggingface.py": ("corpus", "errors", "files", "hub"),
    "corpus/dataconfig.py": ("corpus", "errors", "config"),
    "kernels/": ("errors", "files", "kernels"),
    "features/": ("corpus", "features", "kernels", *BASE),
    "model/contextual.py": ("corpus", "features", "model", "hub", *BASE),
    "model/": ("corpus", "features", "model", *BASE),
    "inference/": ("corpus", "features", "inference", "kernels", *BASE),
    "inference/hub_folder.py": ("inference", "hub", *BASE),
    "inference/torch_engine.py": ("corpus", "features", "inference", "model", *BASE),
    "inspection/": ("corpus", "features", "inference", "inspection", "pages", *BASE),
    "evaluation/": ("corpus", "evaluation", *BASE),
    "evaluation/page/": ("corpus", "evaluation", "pages", *BASE),
    "evaluation/model.py": ("corpus", "features.words", "evaluation", "inference", *BASE),
    "training/": (
        *("corpus", "features", "model", "training", *BASE),
        *("inference.folder", "inference.decoder", "inference.calibration", "evaluation.scores"),
    ),
    "commands/": (
        *("", "corpus", "features", "model", "training", "inference", "inspection", "evaluation", "commands", "hub"),
        *BASE,
    ),
}
DOORS = {  # framework: the paths that may import it
    "numpy": ("kernels/", "features/", "model/", "training/", "inference/", "inspection/", "evaluation/"),
    "safetensors": (
        "inference/folder.py",
        "features/wordpiece.py",
        "features/model2vec_folder.py",
        "features/vector_arrays.py",
        "features/vector_table.py",
    ),
    "onnx": ("inference/onnx_graph.py",),
    "onnxruntime": ("inference/onnx_engine.py",),
    "threadpoolctl": ("inference/numpy_engine.py",),
    "numba": ("kernels/source.py", "kernels/gru.py", "kernels/tiles.py"),
    "llvmlite": ("kernels/source.py", "kernels/gru.py", "kernels/tiles.py", "kernels/compiled.py"),
    "torch": ("model/", "training/", "inference/torch_engine.py"),
    "pytorch_lightning": ("training/",),
    "tensorboard": ("training/",),
    "hydra": ("commands/",),
    "omegaconf": ("commands/",),
    "datasets": ("corpus/huggingface.py",),
    "transformers": ("model/contextual.py",),
    "huggingface_hub": ("hub.py",),
    "optuna": ("commands/tuning.py",),
    "ray": ("inference/ray_data.py",),
    "tqdm": ("model/contextual.py",),
    "jinja2": ("pages.py",),
    "pyarrow": ("inference/parquet.py",),
    "zstandard": ("inference/compression.py",),
    "matplotlib": ("evaluation/page/plots.py",),
    "seqeval": ("evaluation/scores.py",),
    "spacy": ("corpus/tokenizers.py",),
    "syntok": ("corpus/syntok_spans.py",),
}


def imports(source: str, module: str) -> Iterator[str]:
    """Dotted names that a module imports, wherever it does so. `from a import b` gives `a.b`."""
    home = PurePosixPath("tagger", module).parent.parts
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            begin = ".".join(home[: len(home) - node.level + 1]) if node.level else ""
            whole = ".".join(filter(None, (begin, node.module)))
            yield from (f"{whole}.{name.name}" for name in node.names)


def within(name: str, place: str) -> bool:
    return name == place or name.startswith(f"{place}.")


def breaches(source: str, module: str) -> list[str]:
    """The imports of a module that the contract does not allow."""
    beginning = max((begin for begin in ALLOWED if module.startswith(begin)), key=len)
    found = []
    for name in imports(source, module):
        top, _, rest = name.partition(".")
        if top == "tagger":
            allowed = any(within(rest, place) for place in ALLOWED[beginning])
        elif top in DOORS:
            allowed = module.startswith(DOORS[top])
        else:
            allowed = top in sys.stdlib_module_names
        if not allowed:
            found.append(name)
    return found


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_what_it_may(module: str) -> None:
    assert breaches((PACKAGE / module).read_text(encoding="utf-8"), module) == []


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("corpus/jsonl.py", "from tagger.features.words import shape", ["tagger.features.words.shape"]),
        ("corpus/jsonl.py", "from ..features import words", ["tagger.features.words"]),
        ("corpus/jsonl.py", "from .sentence import Sentence", []),
        ("corpus/jsonl.py", "def f():\n    import datasets", ["datasets"]),
        ("corpus/huggingface.py", "def f():\n    import datasets", []),
        ("features/words.py", "if TYPE_CHECKING:\n    from torch import Tensor", ["torch.Tensor"]),
        ("inference/tagger.py", "import torch.nn as nn", ["torch.nn"]),
        ("inference/tagger.py", "from tagger.model.crf import FORBIDDEN", ["tagger.model.crf.FORBIDDEN"]),
        ("inference/torch_engine.py", "from tagger.model.tagger import TaggerModel\nimport torch", []),
        ("evaluation/scores.py", "from tagger.inference import tagger", ["tagger.inference.tagger"]),
        ("evaluation/scores.py", "from seqeval.metrics import f1_score", []),
        ("training/run.py", "from tagger.inference.folder import ModelFolder", []),
        ("training/run.py", "from tagger.inference import folder", []),
        ("training/run.py", "from tagger.inference.tagger import load", ["tagger.inference.tagger.load"]),
        ("training/run.py", "from tagger.evaluation.report import Report", ["tagger.evaluation.report.Report"]),
        ("training/run.py", "import hydra", ["hydra"]),
        ("commands/train.py", "from tagger.training import run\nimport hydra\nimport os", []),
        ("commands/train.py", "import torch", ["torch"]),
        ("commands/tag.py", "import requests", ["requests"]),
        ("new.py", "from tagger.corpus import sentence", ["tagger.corpus.sentence"]),
    ],
)
def test_a_breach_is_found_wherever_it_stands(module: str, source: str, expected: list[str]) -> None:
    assert breaches(source, module) == expected


def test_the_contract_names_paths_that_are_there() -> None:
    for place in [*ALLOWED, *(door for doors in DOORS.values() for door in doors)]:
        assert (PACKAGE / place).exists(), place
