"""A training run that stops at a chosen moment, says `held` on a line and waits there to be killed.

`python tests/helpers/held_run.py MOMENT NUMBER OVERRIDES…`: the moment comes for the NUMBERth time, counted from 1.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tagger.commands import train
from tagger.model_folder.folder import ModelFolder
from tagger.training import checkpoint
from tagger.training.lightning_module import TaggingModule


def hold() -> None:
    print("held", flush=True)
    while True:
        time.sleep(1)


class Moment:
    """Calls of a function, of which one is held before it does anything."""

    def __init__(self, number: int) -> None:
        self.left = number

    def comes(self) -> None:
        self.left -= 1
        if self.left == 0:
            hold()

    def before(self, owner: Any, name: str, counts: Callable[..., bool] = lambda *_: True) -> None:
        original = getattr(owner, name)

        def held(*arguments: Any, **how: Any) -> Any:
            if counts(*arguments):
                self.comes()
            return original(*arguments, **how)

        setattr(owner, name, held)

    def half_written(self) -> None:
        original = checkpoint.bytes_written_whole

        class Half:
            def __init__(self, stream: IO[bytes], moment: Moment) -> None:
                self.stream, self.moment = stream, moment

            def write(self, content: memoryview) -> None:
                middle = len(content) // 2
                self.stream.write(content[:middle])
                self.stream.flush()
                self.moment.comes()
                self.stream.write(content[middle:])

            def __getattr__(self, name: str) -> Any:
                return getattr(self.stream, name)

        @contextmanager
        def half(path: Path) -> Iterator[Any]:
            with original(path) as stream:
                yield Half(stream, self)

        vars(checkpoint)["bytes_written_whole"] = half


def main(name: str, number: str, *overrides: str) -> int:
    moment = Moment(int(number))
    if name == "step":
        moment.before(TaggingModule, "training_step")
    elif name == "scoring":
        moment.before(TaggingModule, "validation_step")
    elif name == "half a checkpoint":
        moment.half_written()
    elif name == "new name":  # what was the last checkpoint has been renamed, and there is none of that name
        moment.before(Path, "replace", lambda _, target: Path(target).name == checkpoint.LAST)
    else:
        assert name == "model"
        moment.before(ModelFolder, "save")
    return train.main(list(overrides))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
