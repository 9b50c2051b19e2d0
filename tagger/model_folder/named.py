"""Models by name: those that come with this package, and those on the Hugging Face Hub, `hub:ORG/NAME@REVISION`."""

from __future__ import annotations

from pathlib import Path

from tagger.errors import UserError
from tagger.files import shipped_folder
from tagger.model_folder.contents import CONFIG, MOST_BYTES

DEFAULT = "en-ner"
_PREFIX = "hub:"


def on_hub(model: str | Path) -> bool:
    """Return whether a model is named by its place on the Hub rather than by a folder."""
    return str(model).startswith(_PREFIX)


def ready_models() -> dict[str, Path]:
    """Return the models that come with this package, by name."""
    folder = shipped_folder("data") / "models"
    return {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{CONFIG}"))}


def local_folder(model: str | Path) -> Path:
    """Return the folder of a model. A model on the Hub is fetched into the cache if there is a newer one.

    Args:
        model: the name of a ready model, such as `en-ner` (a folder of that name is `./en-ner`); or `hub:ORG/NAME`,
            optionally with `@` and a branch, tag or commit, of which a commit that is in the cache needs no network;
            or a path.

    Raises:
        UserError: it is not there, or is no model of this tagger.
    """
    if not on_hub(model):
        return ready_models().get(str(model), Path(model)) if isinstance(model, str) else model
    from tagger.hub import NAME, fetch_checked  # here, since it imports an HTTP client

    repo, _, revision = str(model).removeprefix(_PREFIX).partition("@")
    if not NAME.fullmatch(repo):
        raise UserError(f"{model}: expected hub:ORG/NAME or hub:ORG/NAME@REVISION")
    return fetch_checked(repo, revision or None, MOST_BYTES, CONFIG)
