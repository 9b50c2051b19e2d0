"""Trains spaCy as peers/spacy_peer.py does and tells each dev score when it is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, Any

from exchange import Task
from spacy.cli.train import train
from spacy.language import Language
from spacy.util import load_config, registry
from spacy_peer import pipe, prepare
from tasks import event

_LOGGER = "benchmark.Events.v1"
_SCORES = {"ner": "ents_f", "tagger": "tag_acc"}


@registry.loggers(_LOGGER)
def events(score: str) -> Callable[[Language, IO, IO], tuple[Callable[[dict[str, Any] | None], None], Callable]]:
    """A logger that makes an event of each evaluation."""

    def set_up(nlp: Language, stdout: IO, stderr: IO) -> tuple[Callable[[dict[str, Any] | None], None], Callable]:
        def log_step(info: dict[str, Any] | None) -> None:
            if info is not None:
                event(tokens=info["words"], dev=info["other_scores"][score])

        return log_step, lambda: None

    return set_up


def main() -> None:
    task = Task.from_command_line(__doc__)
    config, paths = prepare(task)
    settings = load_config(config)
    settings["training"]["logger"] = {"@loggers": _LOGGER, "score": _SCORES[pipe(task.kind)]}
    settings.to_disk(config)
    train(config, task.folder / "spacy", overrides=paths)


if __name__ == "__main__":
    main()
