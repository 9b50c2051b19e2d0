"""The import contract, read from the source: rooms import downwards only, each framework has one door.

Imports inside functions and for type checking count as well, unless a test says otherwise.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tagger"
MODULES = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}

# A room is a top-level module or a folder with all that is below it, unless that is a room of its own. Each may import
# itself and the rooms named here, all of which stand above it.
BASE = (
    *("printable", "errors", "config", "config_parsing", "files", "untrusted", "hub", "python_process"),
    *("renamed_settings", "shared_state", "version", "remote"),
)
ROOMS: dict[str, tuple[str, ...]] = {
    "printable": (),
    "errors": ("printable",),
    "config_parsing": ("errors",),
    "config": ("errors", "config_parsing"),
    "files": ("errors",),
    "untrusted": ("errors",),
    "hub": ("errors",),
    "remote": ("errors",),
    "python_process": (),
    "renamed_settings": (),
    "shared_state": (),
    "version": (),
    "html": BASE,
    "corpus": (*BASE, "html"),
    "kernels": BASE,
    "features": (*BASE, "corpus", "kernels"),
    "tensor_shapes": ("config", "features"),
    "model": (*BASE, "corpus", "features", "tensor_shapes"),
    "model_folder": (*BASE, "corpus", "features", "tensor_shapes"),
    "engines": (*BASE, "corpus", "kernels", "features", "tensor_shapes", "model", "model_folder"),
    "decoding": (*BASE, "corpus", "kernels", "features", "tensor_shapes"),
    "generation": (*BASE, "corpus", "features", "tensor_shapes", "model_folder", "engines"),
    "predict": (*BASE, "corpus", "features", "model_folder", "engines", "decoding"),
    "inspection": (
        *(*BASE, "html", "corpus", "features", "tensor_shapes", "model_folder", "engines", "decoding", "generation"),
    ),
    "evaluation": (*BASE, "html", "corpus", "features", "model_folder", "engines", "predict"),
    "bulk": (*BASE, "html", "corpus", "kernels"),
    "distillation": (*BASE, "corpus", "features", "bulk", "predict"),
    "training": (*BASE, "corpus", "features", "tensor_shapes", "model", "model_folder", "decoding", "evaluation"),
    "pretraining": (
        *(*BASE, "corpus", "features", "tensor_shapes", "model", "model_folder"),
        *("bulk", "training"),
    ),
    "commands.hydra": BASE,
    "runs": (*BASE, "corpus", "model_folder", "predict", "evaluation", "training", "commands.hydra"),
    "serving": (*BASE, "html", "corpus", "model_folder", "engines", "predict", "inspection", "bulk"),
    "integrations": (*BASE, "corpus", "predict"),
    "commands": (
        *(
            *BASE,
            "generation",
            "corpus",
            "kernels",
            "features",
            "model_folder",
            "engines",
            "predict",
            "inspection",
            "evaluation",
        ),
        *("bulk", "distillation", "training", "pretraining", "commands.hydra", "runs", "serving"),
    ),
    "api": (*BASE, "corpus", "predict", "evaluation", "training", "commands.hydra", "runs", "commands"),
    "__init__": ("errors", "version", "corpus", "predict", "api"),
    "__main__": ("commands",),
}
DOORS = {  # framework: the paths that may import it
    "numpy": (
        *("kernels/", "features/", "model/", "model_folder/", "engines/", "decoding/", "predict.py"),
        *("inspection/", "evaluation/", "distillation/", "training/", "pretraining/"),
        "generation/",
    ),
    "safetensors": (
        "model_folder/folder.py",
        "model_folder/language_model.py",
        "model_folder/writing.py",
        "features/vectors/wordpiece.py",
        "features/vectors/model2vec.py",
        "features/vectors/files.py",
        "features/vectors/table.py",
    ),
    "onnx": ("engines/onnx_export.py",),
    "onnxruntime": ("engines/onnx_engine.py",),
    "threadpoolctl": ("engines/numpy_engine.py",),
    "numba": ("kernels/loops.py", "kernels/gru.py", "kernels/tiles.py"),
    "llvmlite": ("kernels/loops.py", "kernels/gru.py", "kernels/tiles.py", "kernels/compiled.py"),
    "torch": ("model/", "training/", "pretraining/", "engines/torch_engine.py"),
    "pytorch_lightning": ("training/", "pretraining/"),
    "tensorboard": ("training/",),
    "hydra": ("commands/",),
    "omegaconf": ("commands/",),
    "datasets": ("corpus/readers/huggingface.py",),
    "transformers": ("model/contextual.py",),
    "huggingface_hub": ("hub.py",),
    "optuna": ("commands/study.py",),
    "filelock": ("files.py", "commands/study.py"),
    "ray": ("bulk/executors/ray.py",),
    "tqdm": ("model/contextual.py", "distillation/reading.py", "pretraining/text_store.py"),
    "jinja2": ("html/rendering.py",),
    "fastapi": ("serving/app.py",),
    "starlette": ("serving/",),
    "pydantic": ("serving/schemas.py",),
    "prometheus_client": ("serving/metrics.py",),
    "uvicorn": ("serving/server.py",),
    "pyarrow": ("bulk/formats/parquet.py",),
    "zstandard": ("bulk/compression.py",),
    "matplotlib": ("evaluation/page/plots.py",),
    "seqeval": ("evaluation/scores.py",),
    "spacy": ("corpus/tokenizers.py", "corpus/readers/spacy_docs.py", "integrations/spacy_pipe.py"),
    "srsly": ("corpus/readers/spacy_docs.py",),
    "fsspec": ("remote.py",),
    "syntok": ("corpus/syntok_spans.py",),
}
BASE_INSTALL = {"filelock", "numpy", "safetensors", "syntok", "threadpoolctl"}  # its packages, by pyproject.toml


def imports(source: str, module: str, path: str, *, lazy: bool = True) -> Iterator[str]:
    """Dotted names that a module imports; `from a import b` gives `a.b`.

    Args:
        source: its text.
        module: its dotted name.
        path: where it is, as a package's `__init__.py` is its own home.
        lazy: also those inside functions and for type checking.
    """
    tree = ast.parse(source)
    home = module.split(".") if path.endswith("__init__.py") else module.split(".")[:-1]
    for node in ast.walk(tree) if lazy else _at_import(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            begin = ".".join(home[: len(home) - node.level + 1]) if node.level else ""
            whole = ".".join(filter(None, (begin, node.module)))
            yield from (f"{whole}.{name.name}" for name in node.names)


def _at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Walk what runs when a module is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        yield child
        yield from _at_import(child)


def room_of(module: str) -> str:
    """The room of a module of this package, by its dotted name; "" for one that has none."""
    name = module.removeprefix("tagger").removeprefix(".") or "__init__"
    rooms = [room for room in ROOMS if name == room or name.startswith(f"{room}.")]
    return max(rooms, key=len, default="")


def module_of(name: str) -> str | None:
    """The module of this package that an import needs, of `a.b.c` perhaps `a.b`; None for other packages."""
    name = name.removesuffix(".*")
    while name:
        for module in (name, f"{name}.__init__"):
            if module in MODULES:
                return module
        name = name.rpartition(".")[0]
    return None


def breaches(source: str, path: str) -> list[str]:
    """List the imports of a file, by its path below tagger/, that the contract does not allow."""
    module = f"tagger.{path.removesuffix('.py').replace('/', '.')}"
    room = room_of(module.removesuffix(".__init__") if path != "__init__.py" else "tagger")
    found = []
    for name in imports(source, module.removesuffix(".__init__"), path):
        top = name.partition(".")[0]
        if top == "tagger":
            target = room_of((module_of(name) or name).removesuffix(".__init__"))
            allowed = bool(room) and target in (room, *ROOMS[room])
        elif top in DOORS:
            allowed = path.startswith(DOORS[top])
        else:
            allowed = top in sys.stdlib_module_names
        if not allowed:
            found.append(name)
    return found


@pytest.mark.parametrize("path", sorted(path.relative_to(PACKAGE).as_posix() for path in MODULES.values()))
def test_a_module_imports_what_its_room_may(path: str) -> None:
    assert breaches((PACKAGE / path).read_text(encoding="utf-8"), path) == []


@pytest.mark.parametrize(
    ("path", "source", "expected"),
    [
        ("corpus/sentence.py", "from tagger.features.words import shape", ["tagger.features.words.shape"]),
        ("corpus/readers/jsonl.py", "from ...features import words", ["tagger.features.words"]),
        ("corpus/readers/jsonl.py", "from ..sentence import Sentence", []),
        ("corpus/readers/jsonl.py", "def f():\n    import datasets", ["datasets"]),
        ("corpus/readers/huggingface.py", "def f():\n    import datasets", []),
        ("features/words.py", "if TYPE_CHECKING:\n    from torch import Tensor", ["torch.Tensor"]),
        ("predict.py", "import torch.nn as nn", ["torch.nn"]),
        ("predict.py", "from tagger.model.crf import FORBIDDEN", ["tagger.model.crf.FORBIDDEN"]),
        ("predict.py", "from tagger.bulk.records import Record", ["tagger.bulk.records.Record"]),
        ("engines/torch_engine.py", "from tagger.model.network import TaggerModel\nimport torch", []),
        ("engines/numpy_engine.py", "import torch", ["torch"]),
        ("bulk/job.py", "from tagger import predict", ["tagger.predict"]),
        ("bulk/job.py", "from tagger import Tagger", ["tagger.Tagger"]),
        ("bulk/job.py", "from tagger.decoding import decoder", ["tagger.decoding.decoder"]),
        ("evaluation/scores.py", "from seqeval.metrics import f1_score", []),
        ("evaluation/report.py", "from tagger.training import loader", ["tagger.training.loader"]),
        ("training/loader.py", "from tagger.predict import load", ["tagger.predict.load"]),
        ("training/loader.py", "import hydra", ["hydra"]),
        ("runs/record.py", "from tagger.commands.hydra import overrides", []),
        ("runs/record.py", "from tagger.commands import train", ["tagger.commands.train"]),
        ("commands/hydra/sweep.py", "from tagger.commands.main import main", ["tagger.commands.main.main"]),
        ("commands/train.py", "from tagger.training import loader\nimport hydra\nimport os", []),
        ("commands/train.py", "import torch", ["torch"]),
        ("commands/tag.py", "import requests", ["requests"]),
        ("new.py", "from tagger.corpus import sentence", ["tagger.corpus.sentence"]),
    ],
)
def test_a_breach_is_found_wherever_it_is(path: str, source: str, expected: list[str]) -> None:
    assert breaches(source, path) == expected


def test_rooms_import_downwards_only() -> None:
    above: set[str] = set()
    for room, allowed in ROOMS.items():
        assert set(allowed) <= above, room
        above.add(room)


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: _needed(module) for module in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


@pytest.mark.parametrize("entry", ["tagger.predict", "tagger.commands.main", "tagger.commands.tag"])
def test_tagging_imports_nothing_but_the_base_install(entry: str) -> None:
    seen: set[str] = set()
    left = [entry]
    while left:
        module = left.pop()
        if module not in seen:
            seen.add(module)
            left += _needed(module, lazy=False)
    outside = {name.partition(".")[0] for module in seen for name in _imported(module, lazy=False)}
    assert outside - sys.stdlib_module_names - {"tagger"} <= BASE_INSTALL


def test_the_contract_names_places_that_are_there() -> None:
    for room in ROOMS:
        place = PACKAGE / room.replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").is_file(), room
    for door in (door for doors in DOORS.values() for door in doors):
        assert (PACKAGE / door).exists(), door


def _imported(module: str, *, lazy: bool = True) -> list[str]:
    path = MODULES[module]
    return list(imports(path.read_text(encoding="utf-8"), module.removesuffix(".__init__"), str(path), lazy=lazy))


def _needed(module: str, *, lazy: bool = True) -> set[str]:
    """The modules of this package that one imports, itself left out."""
    found = {module_of(name) for name in _imported(module, lazy=lazy) if name.partition(".")[0] == "tagger"}
    return {other for other in found if other is not None} - {module}
