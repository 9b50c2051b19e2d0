"""Trains CRFsuite as peers/crfsuite_peer.py does: chooses penalties on dev if there are none, else trains with them.

Two processes, so that the search is not counted into the training. Each reads and makes its features anew.
"""

from __future__ import annotations

import json

import pycrfsuite
from crfsuite_peer import GRID, ITERATIONS, features, right, tag, train
from exchange import Task
from tasks import event


def main() -> None:
    task = Task.from_command_line(__doc__)
    chosen = task.folder / "settings.json"
    searching = not chosen.exists()
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
    tokens_read = 0
    for tokens, tags in task.sentences("train"):
        if tokens:
            trainer.append(pycrfsuite.ItemSequence(features(tokens)), tags)
            tokens_read += len(tokens)
    dev = task.sentences("dev")
    gold, rows = [tags for _, tags in dev], [features(tokens) for tokens, _ in dev]
    model = task.folder / ("trial.crfsuite" if searching else "model.crfsuite")
    best = -1.0
    for penalties in GRID if searching else [json.loads(chosen.read_text(encoding="utf-8"))]:
        event(tokens=0)
        train(trainer, *penalties, model)
        score = right(gold, tag(model, rows), task.kind)
        event(tokens=tokens_read * ITERATIONS, dev=score, penalties=penalties)
        if searching and score > best:
            best = score
            chosen.write_text(json.dumps(penalties), encoding="utf-8")


if __name__ == "__main__":
    main()
