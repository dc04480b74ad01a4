"""What pushing and pulling share: which repository is meant, the client that asks the Hub about it, and one line that
says what to do for whatever the Hub, the network and the disk can have against a transfer.
"""

import contextlib
import re
import socket
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torchfakes_utils import __version__
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.text import printable

if TYPE_CHECKING:
    from huggingface_hub import HfApi, ModelInfo

TIMEOUT = 20  # seconds that the Hub may take to say what a repository holds

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9][\w./-]*", re.ASCII)

# What the Hub's refusals mean, and what to do.
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"
_REFUSALS = {
    401: ("the Hub does not let you in", LOG_IN),
    403: ("the Hub forbids it", "use a token that may do it: one that can write to push, one with access to pull"),
    404: ("the Hub has no such thing", "check the name"),
    409: ("somebody else is changing it", "try again"),
    429: ("the Hub has had too many requests", "wait some minutes and try again"),
}


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
    """What the Hub knows of a repository, with `sizes` also of its files: found out in `TIMEOUT` seconds, or never."""
    return api.model_info(name, revision=revision, files_metadata=sizes, timeout=TIMEOUT)


@contextlib.contextmanager
def one_line(name: str) -> Iterator[None]:
    """Make one line, which begins with `name`, of whatever speaks against what the block does.

    Raises:
        InputError: with the error behind it as its cause.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # the Hub's client has a dozen of its own, and those of what it is built on
        raise InputError(f"{name}: {_reason(error)}") from error


def _causes(error: BaseException | None) -> list[BaseException]:
    """An error and what lies behind it, the nearest first."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def _refusal(error: BaseException) -> Any | None:
    """The nearest error behind this one that is an answer of the Hub's."""
    return next((one for one in _causes(error) if getattr(one, "response", None) is not None), None)


def status(error: BaseException) -> int | None:
    """What the Hub answered (404, 500 and so on), where that lies behind an error."""
    return getattr(getattr(_refusal(error), "response", None), "status_code", None)


def _reason(error: BaseException) -> str:
    """What went wrong, and what to do about it."""
    from huggingface_hub import errors

    chain, refusal, answer = _causes(error), _refusal(error), status(error)
    if any(isinstance(one, errors.OfflineModeIsEnabled) for one in chain):
        return "HF_HUB_OFFLINE is set, so that only what is in the Hub's cache can be had; unset it"
    if isinstance(refusal, errors.RevisionNotFoundError):
        return "it has no such branch, tag or commit; check the revision"
    if isinstance(refusal, errors.RepositoryNotFoundError) and answer != 403:
        return f"no such repository on the Hub, or a private one; check the name, or {LOG_IN}"
    if refusal is not None and answer is not None:
        what, to_do = _REFUSALS.get(answer, ("the Hub refuses this", "see its page on the Hub"))
        if answer >= 500:
            what, to_do = "the Hub has trouble of its own", "try again later"
        # The client spells out what is wrong with a bad request; of other refusals the Hub's own words say more.
        words = getattr(refusal, "server_message", None) or (str(error) if answer == 400 else "")
        return f"{what} ({answer}{': ' * bool(words)}{_short(words)}); {to_do}"
    return _reason_on_the_way(chain) or f"that failed ({type(error).__name__}: {_short(str(error))}); try again"


def _reason_on_the_way(chain: list[BaseException]) -> str:
    """What the network or the disk has against it; "" where it is neither."""
    if any(isinstance(one, TimeoutError) or "Timeout" in type(one).__name__ for one in chain):
        return "the Hub did not answer in time; try again later"
    low = [(one, one.strerror) for one in chain if isinstance(one, OSError) and one.strerror]
    if not low:
        return ""
    lowest, why = low[-1]
    if isinstance(lowest, (ConnectionError, socket.gaierror, ssl.SSLError)):
        return f"the Hub cannot be reached ({_short(why)}); check the network, or HF_ENDPOINT"
    return f"the Hub's cache cannot be written ({_short(why)}); free some space, or set HF_HOME"


def _short(text: str) -> str:
    """A text from elsewhere, as part of a line."""
    plain = printable(" ".join(text.split()))
    return plain if len(plain) <= 200 else f"{plain[:200]}…"
