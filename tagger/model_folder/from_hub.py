"""Models named by their place on the Hugging Face Hub, `hub:ORG/NAME@REVISION`, as folders in its cache."""

from __future__ import annotations

from pathlib import Path

from tagger.errors import UserError
from tagger.model_folder.contents import CONFIG, MOST_BYTES

_PREFIX = "hub:"


def on_hub(model: str | Path) -> bool:
    """Return whether a model is named by its place on the Hub rather than by a folder."""
    return str(model).startswith(_PREFIX)


def local_folder(model: str | Path) -> Path:
    """Return the folder of a model. A model on the Hub is fetched into the cache if there is a newer one.

    Args:
        model: a path, or `hub:ORG/NAME`, optionally with `@` and a branch, tag or commit. A commit that is in the cache
            needs no network.

    Raises:
        UserError: it is not there, or is no model of this tagger.
    """
    if not on_hub(model):
        return Path(model)
    from tagger.hub import NAME, fetch_checked  # here, since it imports an HTTP client

    repo, _, revision = str(model).removeprefix(_PREFIX).partition("@")
    if not NAME.fullmatch(repo):
        raise UserError(f"{model}: expected hub:ORG/NAME or hub:ORG/NAME@REVISION")
    return fetch_checked(repo, revision or None, MOST_BYTES, CONFIG)
