"""What pushing and pulling share: which repository is meant, and the client that asks the Hub about it."""

import re
from typing import TYPE_CHECKING

from torchfakes_utils import __version__
from torchfakes_utils.errors import InputError

if TYPE_CHECKING:
    from huggingface_hub import HfApi, ModelInfo

TIMEOUT = 20  # seconds that the Hub may take to say what a repository holds

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9][\w./-]*", re.ASCII)


def check_name(name: str, revision: str | None) -> None:
    """Refuse what names no repository, before anything is asked of the Hub.

    Raises:
        InputError: not `owner/name`, or the revision is no branch, tag or commit.
    """
    if not _NAME.fullmatch(name) or ".." in name or "--" in name or name.endswith((".git", ".", "-")):
        raise InputError(f"{name!r}: not a repository on the Hub; write owner/name, or hf://owner/name for a run")
    if revision is not None and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise InputError(f"{name}: {revision!r} is no revision; give a branch, a tag or a commit")


def hub_client(token: str | None = None) -> "HfApi":
    """The Hub's client, which says who we are."""
    from huggingface_hub import HfApi

    return HfApi(token=token, library_name="torchfakes", library_version=__version__)


def repository_info(api: "HfApi", name: str, revision: str | None = None, sizes: bool = False) -> "ModelInfo":
    """What the Hub knows of a repository: found out in `TIMEOUT` seconds, or not at all.

    Args:
        api: from `hub_client`.
        name: `owner/name`.
        revision: None is the main branch.
        sizes: also how large each file is.
    """
    return api.model_info(name, revision=revision, files_metadata=sizes, timeout=TIMEOUT)
