"""Models by their names on the Hugging Face Hub, `hub:ORG/NAME@REVISION`, as folders of its cache."""

from __future__ import annotations

from pathlib import Path

from tagger.errors import UserError
from tagger.model_folder.contents import CONFIG, MOST_BYTES

_PREFIX = "hub:"


def on_hub(model: str | Path) -> bool:
    """Whether a model is named by its place on the Hub rather than by a folder."""
    return str(model).startswith(_PREFIX)


def local_folder(model: str | Path) -> Path:
    """The folder that a model is in: itself, or that of the Hub's cache, fetched if there is a newer one.

    Args:
        model: a path, or `hub:ORG/NAME`, which may end in `@` and a branch, tag or commit. A commit that is in the
            cache is not asked for again.

    Raises:
        UserError: it is not there, or is no model of this tagger.
    """
    if not on_hub(model):
        return Path(model)
    from tagger.hub import NAME, fetch_checked  # here, as it imports what speaks HTTP

    repo, _, revision = str(model).removeprefix(_PREFIX).partition("@")
    if not NAME.fullmatch(repo):
        raise UserError(f"{model}: expected hub:ORG/NAME or hub:ORG/NAME@REVISION")
    return fetch_checked(repo, revision or None, MOST_BYTES, CONFIG)
