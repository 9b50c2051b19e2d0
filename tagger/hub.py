"""Fetch folders from the Hugging Face Hub and push models to it. Nothing else in this package talks to the Hub itself.

`HF_ENDPOINT` names the Hub, `HF_HOME` the folder of its cache. `HF_HUB_OFFLINE=1` forbids requests. The token is that
of `HF_TOKEN` or of `hf auth login`. Nothing here is called unless the user names an id of the Hub.
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

from tagger.errors import LONGEST_REASON, UserError, install_command, reason_of

_SECONDS_TO_CONNECT = 3.0
_SECONDS_TO_ANSWER = 10.0
_COMMIT = re.compile(r"[0-9a-f]{40}")
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)  # ORG/NAME


def hub_reachable(endpoint: str) -> bool:
    """Return whether the Hub, or the proxy to it, accepts a connection within three seconds.

    The client's own requests have no such limit: without a network they can take minutes to fail.
    """
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
    """Return a repository's folder in the Hub's cache, fetched only if the cache does not hold it.

    Args:
        repo: its id.
        revision: branch, tag or commit; None for the main branch.
        patterns: of the names of the files to fetch.
        complete: whether a folder found in the cache has what is needed.

    Raises:
        UserError: the cache does not hold it, and the Hub cannot be reached or refuses.
    """
    found = _in_cache(repo, revision, patterns)
    if found is not None and complete(found):
        return found
    _require_reachable(repo, to_fetch=True)
    return _fetched(repo, revision, patterns)


def fetch_checked(repo: str, revision: str | None, most_bytes: Mapping[str, int], required: str) -> Path:
    """Return the folder of a revision, fetched if there is a newer one, or the cached one without a network.

    Only files of known names are fetched, and only after the sizes of all of them were checked.

    Args:
        repo: ORG/NAME.
        revision: branch, tag or commit; None for the main branch. A commit in the cache is not asked for again.
        most_bytes: the largest size of a file, by patterns of the names of the files to fetch.
        required: a file without which the repository is no model.

    Raises:
        UserError: there is no such repository or revision, it holds something else, or it is neither in the cache nor
            within reach.
    """
    cached = _in_cache(repo, revision, list(most_bytes))
    fixed = _COMMIT.fullmatch(revision or "") is not None
    if cached is not None and (cached / required).is_file() and (fixed or not _reachable()):
        return cached
    _require_reachable(repo, to_fetch=True)
    with _one_line_errors(repo, revision) as hub:
        api = hub.HfApi(endpoint=hub.constants.ENDPOINT)
        about = api.model_info(repo, revision=revision, files_metadata=True, timeout=_SECONDS_TO_ANSWER)
    if cached is not None and cached.name == about.sha:
        return cached
    sizes = {entry.rfilename: entry.size for entry in about.siblings or ()}
    if required not in sizes:
        raise UserError(f"hub:{repo}: not a model of this tagger: no {required} in it")
    for name, size in sizes.items():
        limit = next((limit for pattern, limit in most_bytes.items() if fnmatchcase(name, pattern)), None)
        if limit is not None and (size is None or size > limit or name.count("/") > 1):
            raise UserError(f"hub:{repo}: {name[:LONGEST_REASON]} is not what a model of this tagger has, or too large")
    return _fetched(repo, revision, list(most_bytes))


def push(
    repo: str,
    files: Mapping[str, Path | bytes],
    *,
    private: bool,
    message: str,
    replaced: Callable[[str], bool],
) -> str:
    """Create a model repository if there is none, and commit files to it in one commit; returns the commit.

    Args:
        repo: ORG/NAME.
        files: paths or contents, by their names in the repository.
        private: whether a new repository is private; an existing one stays as it is.
        message: of the commit.
        replaced: whether a file of this name that is in the repository, but not in `files`, is deleted.

    Raises:
        UserError: there is no token, or the Hub cannot be reached or refuses.
    """
    hub = _import_hub()
    if hub.get_token() is None:
        raise UserError("no token for the Hub; set HF_TOKEN, or run: hf auth login")
    _require_reachable(repo, to_fetch=False)
    with _one_line_errors(repo, None):
        api = hub.HfApi(endpoint=hub.constants.ENDPOINT)
        api.create_repo(repo, private=private, exist_ok=True)
        obsolete = [name for name in api.list_repo_files(repo) if replaced(name) and name not in files]
        operations = [hub.CommitOperationAdd(path_in_repo=name, path_or_fileobj=files[name]) for name in sorted(files)]
        operations += [hub.CommitOperationDelete(path_in_repo=name) for name in obsolete]
        # not upload_folder, which may make several commits: a model fetched between two would be a mixture
        return str(api.create_commit(repo, operations, commit_message=message).oid)


def front_matter(*, model_name: str, results: Sequence[Mapping[str, Any]], **entries: Any) -> str:
    """Return the metadata of a model card: YAML between lines of `---`.

    Args:
        model_name: the name in `model-index`.
        results: of evaluations, as `EvalResult` takes them.
        entries: others, such as `language` and `tags`.
    """
    hub = _import_hub()
    evaluations = [hub.EvalResult(**result) for result in results]
    data = hub.ModelCardData(model_name=model_name, eval_results=evaluations or None, **entries)
    return f"---\n{data.to_yaml()}\n---\n"


def _reachable() -> bool:
    constants = _import_hub().constants
    return not constants.HF_HUB_OFFLINE and hub_reachable(constants.ENDPOINT)


def _require_reachable(repo: str, *, to_fetch: bool) -> None:
    if _reachable():
        return
    constants = _import_hub().constants
    why = "is not to be asked (HF_HUB_OFFLINE)" if constants.HF_HUB_OFFLINE else "cannot be reached"
    problem = f"{constants.ENDPOINT} {why}"
    if to_fetch:
        problem = f"not in the Hub's cache ({constants.HF_HUB_CACHE}), and {problem}"
    raise UserError(f"{repo}: {problem}; connect{', or give the path of a local copy' if to_fetch else ' to publish'}")


def _in_cache(repo: str, revision: str | None, patterns: Sequence[str]) -> Path | None:
    hub = _import_hub()
    with suppress(hub.errors.LocalEntryNotFoundError):
        return Path(hub.snapshot_download(repo, revision=revision, allow_patterns=patterns, local_files_only=True))
    return None


def _fetched(repo: str, revision: str | None, patterns: Sequence[str]) -> Path:
    with _one_line_errors(repo, revision) as hub:
        limits = {"endpoint": hub.constants.ENDPOINT, "etag_timeout": _SECONDS_TO_ANSWER}
        return Path(hub.snapshot_download(repo, revision=revision, allow_patterns=patterns, **limits))


def _import_hub() -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.constants
        import huggingface_hub.errors
    except ImportError:
        raise UserError(f"the Hugging Face Hub needs the extra: {install_command('hub')}") from None
    return huggingface_hub


@contextmanager
def _one_line_errors(repo: str, revision: str | None) -> Iterator[Any]:
    """Yield the client; turn its errors into one line, without the token, which the Hub's answer may repeat."""
    hub = _import_hub()
    errors = hub.errors
    named = repo if revision is None else f"{repo}@{revision}"
    try:
        with _quiet(hub.utils):
            yield hub
    except errors.RevisionNotFoundError as error:
        raise UserError(f"{named}: the Hub has no such revision; check it") from error
    except (errors.GatedRepoError, errors.DisabledRepoError) as error:
        raise UserError(f"{named}: the Hub does not give it to you; ask for access on its page, and log in") from error
    except errors.RepositoryNotFoundError as error:
        raise UserError(
            f"{named}: the Hub has no such repository, or not for you; check the name, or set HF_TOKEN"
        ) from error
    except Exception as error:  # the client's own, and those of the layers below it
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in (401, 403):
            raise UserError(f"{named}: the Hub does not permit it; check HF_TOKEN and its rights") from error
        token = hub.get_token()
        reason = reason_of(error).replace(token, "…") if token else reason_of(error)
        raise UserError(f"{named}: the Hub failed: {reason[:LONGEST_REASON]}; try again") from error


@contextmanager
def _quiet(utils: Any) -> Iterator[None]:
    """Show progress on a terminal only, and no log of what an error says anyway."""
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
