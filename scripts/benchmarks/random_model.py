"""A model folder like another one, but with so many plain tags and random weights for them.

python random_model.py MODEL NEW_MODEL TAGS
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from tagger.corpus.schemes import Scheme
from tagger.model_folder.folder import ModelFolder
from tagger.tensor_shapes import expected_shapes


def with_tags(folder: ModelFolder, tags: int) -> ModelFolder:
    """The same but for its tags, whose weights are drawn from a normal distribution."""
    named = [f"T{number}" for number in range(tags)]
    vocabularies = replace(folder.vocabularies, tags=named)
    random = np.random.default_rng(0)
    tensors = {
        name: folder.tensors[name]
        if folder.tensors[name].shape == shape
        else random.normal(0, 0.1, shape).astype(np.float32)
        for name, shape in expected_shapes(folder.config, vocabularies).items()
    }
    return replace(folder, vocabularies=vocabularies, scheme=Scheme.PLAIN, tensors=tensors)


def main() -> None:
    model, new, tags = sys.argv[1:]
    with_tags(ModelFolder.load(Path(model)), int(tags)).save(Path(new), "Random weights, to measure speed with.\n")


if __name__ == "__main__":
    main()
