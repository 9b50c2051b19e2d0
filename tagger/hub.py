"""The Hugging Face Hub: folders fetched from it and pushed to it; the one place that talks to it itself.

`HF_ENDPOINT` says where it is, `HF_HOME` where its cache lies, `HF_HUB_OFFLINE=1` that it is not to be asked; the token
is that of `HF_TOKEN` or of `hf auth login`. Nothing here is called unless somebody names an id of the Hub.
"""

from __future__ import annotations

import re
import socket
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tagger.errors import UserError, reason_of

_SECONDS_TO_CONNECT = 3.0
_SECONDS_TO_ANSWER = 10.0
_LONGEST_REASON = 200
_COMMIT = re.compile(r"[0-9a-f]{40}")
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)  # ORG/NAME


def hub_reachable(endpoint: str) -> bool:
    """Whether something listens where the Hub, or the proxy to it, should be."""
    scheme, host = urlsplit(endpoint).scheme, urlsplit(endpoint).hostname or ""
    proxy = None if urllib.request.proxy_bypass(host) else urllib.request.getproxies().get(scheme)
    target = urlsplit(proxy or endpoint)
    try:
        address = (target.hostname or "", target.port or (80 if target.scheme == "http" else 443))
        with socket.create_connection(address, timeout=_SECONDS_TO_CONNECT):
            return True
    except (OSError, ValueError):
        return False


def fetch_cached(repo: str, revision: str | None, patterns: Sequence[str], complete: Callable[[Path], bool]) -> Path:
    """A repository's folder in the Hub's cache: what is there already, or else fetched.

    Args:
        repo: its id.
        revision: branch, tag or commit; None for the main branch.
        patterns: of the names of the files that are wanted.
        complete: whether a folder found in the cache has what is needed.

    Raises:
        UserError: it is in neither place, or the Hub cannot be reached.
    """
    found = _in_cache(repo, revision, patterns)
    if found is not None and complete(found):
        return found
    _require_reachable(repo)
    return _fetch(repo, revision, patterns)


def fetch_checked(repo: str, revision: str | None, most_bytes: Mapping[str, int], required: str) -> Path:
    """A repository's newest folder of a revision, or the cached one where the Hub cannot be reached.

    Only files of known names come down, and none before the sizes of all are known.

    Args:
        repo: ORG/NAME.
        revision: branch, tag or commit; None for the main branch.
        most_bytes: by patterns of the names of files that are wanted, how large such a file may be.
        required: the file without which it is something else.

    Raises:
        UserError: there is none, it may not be read, holds something else, or is in neither place.
    """
    patterns = list(most_bytes)
    settled = revision is not None and _COMMIT.fullmatch(revision) is not None
    cached = _in_cache(repo, revision, patterns)
    if cached is not None and (cached / required).is_file() and (settled or not _reachable()):
        return cached
    _require_reachable(repo)
    with _told(repo, revision):
        about = _api().model_info(repo, revision=revision, files_metadata=True, timeout=_SECONDS_TO_ANSWER)
    if cached is not None and cached.name == about.sha:
        return cached
    sizes = {entry.rfilename: entry.size for entry in about.siblings or ()}
    if required not in sizes:
        raise UserError(f"hub:{repo}: no model of this tagger: no {required} in it")
    for name, size in sizes.items():
        most = [most_bytes[pattern] for pattern in patterns if fnmatchcase(name, pattern)]
        if most and (size is None or size > most[0] or name.count("/") > 1):
            raise UserError(
                f"hub:{repo}: {name[:_LONGEST_REASON]} is not what a model of this tagger has, or too large"
            )
    return _fetch(repo, revision, patterns)


def push(
    repo: str,
    files: Mapping[str, Path | bytes],
    *,
    private: bool,
    message: str,
    superseded: Callable[[str], bool],
) -> str:
    """Make a repository of a model, where there is none yet, and commit files to it; returns the commit.

    Args:
        repo: ORG/NAME.
        files: by their names in it.
        private: whether a repository that is made is to be; one that is there stays as it is.
        message: of the commit.
        superseded: which other files in it go away, by their names.

    Raises:
        UserError: the Hub cannot be reached, or does not allow it.
    """
    hub = _import_hub()
    if hub.get_token() is None:
        raise UserError("no token for the Hub; set HF_TOKEN, or run: hf auth login")
    _require_reachable(repo, missing="")
    api = _api()
    with _told(repo, None):
        api.create_repo(repo, private=private, exist_ok=True)
        there = [name for name in api.list_repo_files(repo) if superseded(name) and name not in files]
        operations = [hub.CommitOperationAdd(path_in_repo=name, path_or_fileobj=files[name]) for name in sorted(files)]
        operations += [hub.CommitOperationDelete(path_in_repo=name) for name in there]
        return str(api.create_commit(repo, operations, commit_message=message).oid)


def front_matter(*, model_name: str, results: Sequence[Mapping[str, Any]], **entries: Any) -> str:
    """The metadata of a model card, YAML between lines of `---`.

    Args:
        model_name: the name in `model-index`.
        results: of evaluations, as `EvalResult` takes them.
        entries: others, such as `language` and `tags`.
    """
    hub = _import_hub()
    found = [hub.EvalResult(**result) for result in results]
    data = hub.ModelCardData(model_name=model_name, eval_results=found or None, **entries)
    return f"---\n{data.to_yaml()}\n---\n"


def _reachable() -> bool:
    constants = _constants()
    return not constants.HF_HUB_OFFLINE and hub_reachable(constants.ENDPOINT)


def _require_reachable(repo: str, missing: str = "not in the Hub's cache ({cache}), and ") -> None:
    if _reachable():
        return
    constants = _constants()
    why = "is not to be asked (HF_HUB_OFFLINE)" if constants.HF_HUB_OFFLINE else "cannot be reached"
    told = missing.format(cache=constants.HF_HUB_CACHE)
    advice = "connect, or give the path of a local copy" if missing else "connect to publish"
    raise UserError(f"{repo}: {told}{constants.ENDPOINT} {why}; {advice}")


def _in_cache(repo: str, revision: str | None, patterns: Sequence[str]) -> Path | None:
    hub = _import_hub()
    from huggingface_hub.errors import LocalEntryNotFoundError

    with suppress(LocalEntryNotFoundError):
        return Path(hub.snapshot_download(repo, revision=revision, allow_patterns=patterns, local_files_only=True))
    return None


def _fetch(repo: str, revision: str | None, patterns: Sequence[str]) -> Path:
    with _told(repo, revision):
        found = _import_hub().snapshot_download(
            repo,
            revision=revision,
            allow_patterns=patterns,
            endpoint=_constants().ENDPOINT,
            etag_timeout=_SECONDS_TO_ANSWER,
        )
    return Path(found)


def _api() -> Any:
    return _import_hub().HfApi(endpoint=_constants().ENDPOINT)


def _constants() -> Any:
    """The settings that the environment gave the Hub's client."""
    _import_hub()
    from huggingface_hub import constants

    return constants


def _import_hub() -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise UserError("the Hugging Face Hub needs the extra: pip install 'tagger[hub]'") from None
    return huggingface_hub


@contextmanager
def _told(repo: str, revision: str | None) -> Iterator[None]:
    """Tell failures in one line, without the token, whatever the Hub answers with it."""
    from huggingface_hub import errors

    named = repo if revision is None else f"{repo}@{revision}"
    try:
        with _quiet():
            yield
    except errors.RevisionNotFoundError as error:
        raise UserError(f"{named}: the Hub has no such revision; check it") from error
    except (errors.GatedRepoError, errors.DisabledRepoError) as error:
        raise UserError(f"{named}: the Hub does not give it to you; ask for access on its page, and log in") from error
    except errors.RepositoryNotFoundError as error:
        raise UserError(
            f"{named}: the Hub has no such repository, or not for you; check the name, or set HF_TOKEN"
        ) from error
    except Exception as error:  # the Hub's own, and those of the layers below it
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            raise UserError(f"{named}: the Hub does not permit it; check HF_TOKEN and its rights") from error
        raise UserError(f"{named}: the Hub failed: {_without_token(error)}; try again") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Progress on a terminal only, and no log of what is told in a line all the same."""
    utils = _import_hub().utils
    level, shown = utils.logging.get_verbosity(), not utils.are_progress_bars_disabled()
    utils.logging.set_verbosity(utils.logging.CRITICAL)
    if shown and not (sys.stderr and sys.stderr.isatty()):
        utils.disable_progress_bars()
    try:
        yield
    finally:
        utils.logging.set_verbosity(level)
        if shown:
            utils.enable_progress_bars()


def _without_token(error: Exception) -> str:
    token = _import_hub().get_token()
    reason = reason_of(error)
    return (reason.replace(token, "…") if token else reason)[:_LONGEST_REASON]
