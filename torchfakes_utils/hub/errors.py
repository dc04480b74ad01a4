"""What the Hugging Face Hub, the network and the disk can have against a transfer, in one line that says what to do."""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

from torchfakes_utils.errors import InputError

# What the Hub's refusals mean, and what to do.
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"
_REFUSALS = {
    401: ("the Hub does not let you in", LOG_IN),
    403: ("the Hub forbids it", "use a token that may do it: one that can write to push, one with access to pull"),
    404: ("the Hub has no such thing", "check the name"),
    409: ("somebody else is changing it", "try again"),
    429: ("the Hub has had too many requests", "wait some minutes and try again"),
}


@contextlib.contextmanager
def one_line(name: str) -> Iterator[None]:
    """Make one line of whatever the Hub, the way to it and the disk have against what the block does.

    Args:
        name: `owner/name` of the repository, with which the line begins.

    Raises:
        InputError: with the error behind it as its cause.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # the Hub's client has a dozen of its own, and those of what it is built on
        raise InputError(f"{name}: {_reason(error)}") from error


def _causes(error: BaseException) -> list[BaseException]:
    """An error and what lies behind it, the nearest first."""
    chain: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in chain:
        chain.append(at)
        at = at.__cause__ or at.__context__
    return chain


def _refusal(error: BaseException) -> Any | None:
    """The nearest error behind this one that is an answer of the Hub's."""
    return next((one for one in _causes(error) if getattr(one, "response", None) is not None), None)


def status(error: BaseException) -> int | None:
    """What the Hub answered (404, 500 and so on), where that lies behind an error."""
    refusal = _refusal(error)
    return None if refusal is None else refusal.response.status_code


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
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return plain if len(plain) <= 200 else f"{plain[:200]}…"
