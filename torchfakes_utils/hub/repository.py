"""Which repository on the Hub is meant, and which state of it: looked at before anything is asked."""

import re

from torchfakes_utils.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9][\w./-]*", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")


def check_name(name: str, revision: str | None) -> None:
    """Refuse what names no repository.

    Raises:
        InputError: not `owner/name`, or the revision is no branch, tag or commit.
    """
    if not _NAME.fullmatch(name) or ".." in name or "--" in name or name.endswith((".git", ".", "-")):
        raise InputError(f"{name!r}: not a repository on the Hub; write owner/name, or hf://owner/name for a run")
    check_revision(name, revision)


def check_revision(name: str, revision: str | None) -> None:
    """Refuse what is no branch, tag or commit of the thing called `name`; None is none of them.

    Raises:
        InputError: such a one.
    """
    if revision is not None and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise InputError(f"{name}: {revision!r} is no revision; give a branch, a tag or a commit")
