"""How well a model's probabilities fit what is right, on the data of its run.

    python scripts/calibration.py runs/latest --split test

Of all predicted entities (or plain tags) it takes the probability that `tag.py --scores` gives and whether they are
right, and prints, at temperature 1 and at the model's own: the mean probability beside the share that is right, the
mean log loss, and the expected calibration error over ten bins of equal width (Guo et al. 2017); then, at the model's
own, the bins.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from omegaconf import OmegaConf

from tagger.corpus.schemes import spans_from_tags
from tagger.corpus.source import SPLITS, DataConfig, Split, load_split
from tagger.errors import UserError
from tagger.evaluation.calibration import reliability
from tagger.inference.folder import ModelFolder
from tagger.inference.numpy_engine import NumpyEngine
from tagger.inference.tagger import Tagger

Doubles = NDArray[np.float64]


def judged(model: Tagger, split: Split) -> tuple[Doubles, Doubles]:
    """The probability of every predicted entity or plain tag, and 1 where it is right, else 0."""
    scores: list[float] = []
    right: list[bool] = []
    for gold, found in zip(split.sentences, model.tag_sentences(split.sentences, scores=True), strict=True):
        tags, gold_tags, of_tokens = found.tags or [], gold.tags or [], found.scores or []
        if model.plain:
            right += [tag == gold_tag for tag, gold_tag in zip(tags, gold_tags, strict=True)]
            scores += [score or 0.0 for score in of_tokens]
        else:
            spans = spans_from_tags(tags)
            right += [span in spans_from_tags(gold_tags) for span in spans]
            scores += [of_tokens[span.start] or 0.0 for span in spans]
    return np.array(scores), np.array(right, dtype=np.float64)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of a finished run")
    parser.add_argument("--split", choices=SPLITS, default="test")
    parsed = parser.parse_args(arguments)
    try:
        folder = ModelFolder.load(parsed.run / "model")
        split = load_split(DataConfig.from_mapping(_data_settings(parsed.run / "config.yaml")), parsed.split)
    except UserError as error:
        print(f"calibration.py: {error}", file=sys.stderr)
        return 2
    print("temperature  number  mean probability  share right  log loss  calibration error")
    for temperature in (1.0, folder.temperature):
        warm = replace(folder, temperature=temperature)
        scores, right = judged(Tagger(warm, NumpyEngine(warm)), split)
        if not len(scores):
            print("calibration.py: nothing was predicted, so that there is nothing to judge", file=sys.stderr)
            return 2
        found = reliability(scores, right, temperature)
        print(
            f"{temperature:11.2f}  {len(scores):6,}  {found.probability:16.3f}  {found.right:11.3f}  "
            f"{found.log_loss:8.3f}  {found.ece:17.3f}"
        )
    print("\nprobability  number  mean probability  share right")
    for one in found.bins:
        if one.count:
            print(f"{one.low:.1f} to {one.high:.1f}   {one.count:6,}  {one.probability:16.3f}  {one.right:11.3f}")
    return 0


def _data_settings(path: Path) -> dict[str, object]:
    if not path.is_file():
        raise UserError(f"{path}: no such file; give the folder of a run, which has model/ and config.yaml")
    settings = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
    if not isinstance(settings, dict) or not isinstance(settings.get("data"), dict):
        raise UserError(f"{path}: has no settings of data; give the folder of a run of train.py")
    return settings["data"]


if __name__ == "__main__":
    sys.exit(main())
