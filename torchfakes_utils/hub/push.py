"""One's own detector on the Hugging Face Hub: published with its card and its report, as one commit."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torchfakes_utils.errors import InputError
from torchfakes_utils.hub.package import FILES, package
from torchfakes_utils.hub.repository import check_name
from torchfakes_utils.io.hub_client import LOG_IN, hub_client, one_line, repository_info

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, ModelInfo


@dataclass(frozen=True)
class Pushed:
    """What was published.

    Attributes:
        url: of the repository.
        commit: its 40 hexadecimal digits; `hf://owner/name@commit` is this detector for ever.
        private: whether only its owner sees it.
        files: what is in it, by name.
        notes: what whoever published it has to know, a line each.
    """

    url: str
    commit: str
    private: bool
    files: list[str]
    notes: list[str]


def push(
    run: Path | str, name: str, private: bool = True, revision: str | None = None, message: str | None = None
) -> Pushed:
    """Publish a run's best detector with its model card and its report, and nothing else.

    Args:
        run: the folder of a run, or of a detector.
        name: `owner/name` of the repository, which is made if need be.
        private: whether only its owner may see it. One that is there and public is then refused.
        revision: the branch to write to, made if need be; None is the main one.
        message: of the commit.

    Raises:
        InputError: nothing to publish, no token, or what the Hub or the way to it has against it.
    """
    check_name(name, revision)
    prepared = package(run, name)
    import huggingface_hub as client

    with one_line(name):
        token = client.get_token()
        if not token:
            raise InputError(f"{name}: to push takes a token that can write; {LOG_IN}")
        api = hub_client(token)
        info = _claim(api, name, private, revision)
        there = {file.rfilename for file in info.siblings or []}
        changes: list[CommitOperationAdd | CommitOperationDelete] = [
            client.CommitOperationAdd(file, content) for file, content in sorted(prepared.files.items())
        ]
        # A report of an earlier detector would speak for this one.
        changes += [client.CommitOperationDelete(file) for file in FILES if file in there - prepared.files.keys()]
        title = message or f"TorchFakes detector {prepared.detector.sha256[:12]}"
        commit = api.create_commit(name, changes, commit_message=title, revision=revision)
    notes = list(prepared.notes)
    if info.private and not private:
        notes.append("it stays private, as it was; its settings on the Hub can make it public")
    return Pushed(f"{api.endpoint}/{name}", commit.oid, bool(info.private), sorted(prepared.files), notes)


def _claim(api: "HfApi", name: str, private: bool, revision: str | None) -> "ModelInfo":
    """What the Hub knows of the branch to write to, made if need be, of a repository that is as private as wanted."""
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    # This also finds out in seconds whether there is a Hub: what writes would wait for ever.
    info = None
    with contextlib.suppress(RepositoryNotFoundError):
        info = repository_info(api, name)
    if info is None:  # not in an except clause: the errors of what follows have other causes
        api.create_repo(name, private=private, exist_ok=True)
        info = repository_info(api, name)
    if private and not info.private:
        raise InputError(f"{name}: is there and public; say --public, or make it private in its settings on the Hub")
    if revision is None:
        return info
    with contextlib.suppress(RevisionNotFoundError):
        return repository_info(api, name, revision)
    api.create_branch(name, branch=revision, exist_ok=True)
    return repository_info(api, name, revision)
