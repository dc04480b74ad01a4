"""The client that asks the Hub, and one line that says what to do for whatever the Hub, the network and the disk can
have against a transfer.
"""

import contextlib
import logging
import socket
import ssl
import urllib.error
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from torchfakes_utils import __version__
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.text import printable

if TYPE_CHECKING:
    from huggingface_hub import HfApi, ModelInfo

TIMEOUT = 20  # seconds that the Hub may take to say what a repository holds

# What the Hub's refusals mean, and what to do.
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"
_REFUSALS = {
    401: ("the Hub does not let you in", LOG_IN),
    403: ("the Hub forbids it", "use a token that may do it: one that can write to push, one with access to pull"),
    404: ("the Hub has no such thing", "check the name"),
    409: ("somebody else is changing it", "try again"),
    429: ("the Hub has had too many requests", "wait some minutes and try again"),
}
# Large files lie with another host, to which the Hub leads. It knows neither names nor tokens.
_LET_THROUGH = "try again later, and see that no proxy or firewall keeps you from it"
_STORED = {
    401: ("refuses this", _LET_THROUGH),
    403: ("refuses this", _LET_THROUGH),
    404: ("does not have them", "try again later"),
    410: ("does not have them", "try again later"),
}


class NoAnswerError(InputError):
    """The Hub has said neither yes nor no: the network, the disk or a setting is against it."""


@dataclass(frozen=True)
class _Answer:
    """A refusal in words of HTTP, from whichever library it came.

    Attributes:
        status: 404, 500 and so on.
        code: what the Hub means by it, such as "GatedRepo"; "" where it does not say.
        url: of who has answered, at the end of all redirects.
        words: the Hub's own, where it has some.
    """

    status: int
    code: str
    url: str
    words: str


def hub_client(token: str | None = None) -> "HfApi":
    """The Hub's client, which says who we are."""
    from huggingface_hub import HfApi

    return HfApi(token=token, library_name="torchfakes", library_version=__version__)


def authorization() -> str | None:
    """The header that says who asks, as the Hub's client sends it; None of whom nobody has logged in."""
    from huggingface_hub import constants, get_token

    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    return token and f"Bearer {token}"


def repository_info(api: "HfApi", name: str, revision: str | None = None, sizes: bool = False) -> "ModelInfo":
    """What the Hub knows of a repository, with `sizes` also of its files: found out in `TIMEOUT` seconds, or never."""
    return api.model_info(name, revision=revision, files_metadata=sizes, timeout=TIMEOUT)


@contextlib.contextmanager
def one_line(name: str) -> Iterator[None]:
    """Make one line, which begins with `name`, of whatever speaks against what the block does; nothing else is said.

    Raises:
        InputError: with the error behind it as its cause; a `NoAnswerError` where that is no answer of the Hub's.
    """
    try:
        with quiet():
            yield
    except InputError:
        raise
    except Exception as error:  # the Hub's client has a dozen of its own, and those of what it is built on
        kind = NoAnswerError if _answer(error) is None else InputError
        raise kind(f"{name}: {reason(name, error)}") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Inside, the Hub's client tries again without a word ("Retrying in 8s [Retry 4/5]"): what comes of it counts."""
    log = logging.getLogger("huggingface_hub")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _causes(error: BaseException | None) -> list[BaseException]:
    """An error and what lies behind it, the nearest first."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def _answer(error: BaseException) -> _Answer | None:
    """The nearest answer behind an error, of the Hub or of whom it leads to."""
    from huggingface_hub.errors import RepositoryNotFoundError

    for one in _causes(error):
        response: Any = getattr(one, "response", None)
        headers = getattr(one if response is None else response, "headers", {})
        code = headers.get("X-Error-Code") or ""
        if isinstance(one, urllib.error.HTTPError):
            return _Answer(one.code, code, one.url or "", headers.get("X-Error-Message") or "")
        if response is not None:
            # The client knows that a bare 401 often means it.
            code = code or ("RepoNotFound" if isinstance(one, RepositoryNotFoundError) else "")
            # It spells out what is wrong with a bad request; of other refusals the Hub's own words say more.
            words = getattr(one, "server_message", None) or (str(error) if response.status_code == 400 else "")
            return _Answer(response.status_code, code, str(response.url), words)
    return None


def status(error: BaseException) -> int | None:
    """What the Hub answered (404, 500 and so on), where that lies behind an error."""
    answer = _answer(error)
    return None if answer is None else answer.status


def is_gone(error: BaseException) -> bool:
    """Whether the Hub has answered that there is no such branch, tag or commit."""
    answer = _answer(error)
    return answer is not None and answer.code == "RevisionNotFound"


def reason(name: str, error: BaseException) -> str:
    """What went wrong with the repository called `name`, and what to do about it."""
    from huggingface_hub import errors

    chain, answer = _causes(error), _answer(error)
    if any(isinstance(one, errors.OfflineModeIsEnabled) for one in chain):
        return "HF_HUB_OFFLINE is set, so that only what is in the Hub's cache can be had; unset it"
    if answer is not None:
        return _meaning(name, answer)
    return _reason_on_the_way(chain) or f"that failed ({type(error).__name__}: {short(str(error))}); try again"


def _meaning(name: str, answer: _Answer) -> str:
    from huggingface_hub import constants

    said = f"{answer.status}{': ' * bool(answer.words)}{short(answer.words)}"
    if answer.code == "GatedRepo":
        terms = f"it is gated: its owner gives it to those alone who have accepted the terms ({said})"
        return f"{terms}; accept them at {constants.ENDPOINT}/{name}, and {LOG_IN}"
    if answer.code == "RevisionNotFound":
        return "it has no such branch, tag or commit; check the revision"
    host = urlsplit(answer.url).hostname
    if host not in (None, urlsplit(constants.ENDPOINT).hostname):
        trouble = "has trouble of its own" if answer.status >= 500 else "refuses this"
        what, to_do = _STORED.get(answer.status, (trouble, "try again later"))
        return f"{host}, which keeps its files for the Hub, {what} ({said}); {to_do}"
    if answer.code == "RepoNotFound" and answer.status != 403:
        return f"no such repository on the Hub, or a private one; check the name, or {LOG_IN}"
    what, to_do = _REFUSALS.get(answer.status, ("the Hub refuses this", "see its page on the Hub"))
    if answer.status >= 500:
        what, to_do = "the Hub has trouble of its own", "try again later"
    return f"{what} ({said}); {to_do}"


def _reason_on_the_way(chain: list[BaseException]) -> str:
    """What the network or the disk has against it; "" where it is neither."""
    if any(isinstance(one, TimeoutError) or "Timeout" in type(one).__name__ for one in chain):
        return "the Hub did not answer in time; try again later"
    low = [(one, one.strerror) for one in chain if isinstance(one, OSError) and one.strerror]
    if not low:
        return ""
    lowest, why = low[-1]
    if isinstance(lowest, (ConnectionError, socket.gaierror, ssl.SSLError)):
        return f"the Hub cannot be reached ({short(why)}); check the network, or HF_ENDPOINT"
    return f"the Hub's cache cannot be written ({short(why)}); free some space, or set HF_HOME"


def short(text: str) -> str:
    """A text from elsewhere, as part of a line."""
    plain = printable(" ".join(text.split()))
    return plain if len(plain) <= 200 else f"{plain[:200]}…"
