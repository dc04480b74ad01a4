"""Downloads: whole or not at all, tried again where that may help, refused in one line; and where they are kept.

By hand, on urllib: pooch asks three times for what answers 404, waits as long as it likes, puts a file in place before
its content (not only its digest) can be checked, begins anew where half has come, and leaves the wording to requests.
"""

import contextlib
import http.client
import logging
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import atomic_write, check_no_link, describe_errors, sha256_of

logger = logging.getLogger(__name__)

# Another try changes nothing: the server does not let us in, or has no such file.
_REFUSED = (401, 403)
_FINAL = (*_REFUSED, 404, 410)


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server.

    Attributes:
        timeout: seconds without a byte after which a try has failed.
        tries: how often to ask in all.
        pause: seconds before the second try; doubled before each further one.
    """

    timeout: float = 20
    tries: int = 1
    pause: float = 5


class UnavailableError(InputError):
    """A server did not give a file, for a `reason` to stand in brackets; where `final`, another try makes no sense."""

    def __init__(self, text: str, reason: str, final: bool = False) -> None:
        super().__init__(text)
        self.reason, self.final = reason, final


class WrongChecksumError(InputError):
    """A file has another digest than it should have."""


def cache_folder() -> Path:
    """Where we keep what was fetched: `TORCHFAKES_CACHE`, or the user's cache as the system has it.

    Published weights are not there, but where torch.hub and facenet-pytorch keep theirs: nobody needs them twice.
    """
    import platformdirs

    return Path(os.environ.get("TORCHFAKES_CACHE") or platformdirs.user_cache_path("torchfakes", appauthor=False))


def download(
    url: str,
    path: Path,
    patience: Patience,
    sha256: str | None = None,
    check: Callable[[Path], object] | None = None,
    title: str | None = None,
) -> None:
    """Put the body of `url` into a file, which appears whole or not at all.

    A try that follows one that broke off goes on from there, if the server can (RFC 9110, section 14).

    Args:
        url: http, https or file; proxies are those of the environment.
        path: the file; its folder is made.
        sha256: what it has to be, in lower-case hexadecimal digits. A wrong one is tried again: it may be a page that a
            proxy has put in its place.
        check: gets the file before it is in its place, and raises where it is of no use.
        title: of the progress bar on a terminal; no bar without it.

    Raises:
        UnavailableError: no connection, an error status, or a body shorter than announced, as often as was asked.
        WrongChecksumError: the last body was not the one expected.
        InputError: the file cannot be written.
    """
    with atomic_write(path) as temporary:
        with temporary.open("wb") as file:
            transfer = _Transfer(url, file, patience.timeout, title)

            def get() -> None:
                transfer.go_on()
                if sha256 is not None and sha256_of(temporary) != sha256:
                    transfer.tag = None  # nothing of it is worth keeping
                    raise WrongChecksumError(f"{url}: has not the checksum it should have; tell us")

            _tries(get, url, patience)
        if check is not None:
            check(temporary)


def download_large(
    url: str,
    path: Path,
    size: int,
    sha256: str,
    patience: Patience,
    title: str | None = None,
    authorization: str | None = None,
) -> None:
    """Put the body of `url` into a file, as `download` does, and keep what has come where it breaks off.

    What has come lies beside `path`, hidden, and the next call goes on from there, be it of another day. What the whole
    has to be is known beforehand, so that no server has to be asked whether it is still the same.

    Args:
        url, path, patience, title: as of `download`; who calls it has the folder to himself.
        size: bytes of the whole.
        sha256: of the whole, in lower-case hexadecimal digits.
        authorization: the header of that name, for the host in `url` alone and none that it leads to.

    Raises:
        UnavailableError: it did not come, as often as was asked; what has come is kept. Of a refusal, its cause is the
            server's answer.
        WrongChecksumError: all has come and it is something else; nothing is kept.
        InputError: the file cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    check_no_link(part)
    with describe_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("ab") as file:
            if file.tell() > size:
                file.truncate(0)
            transfer = _Transfer(url, file, patience.timeout, title, known=True, authorization=authorization)
            _tries(lambda: transfer.go_on() if file.tell() < size else None, url, patience)
        if part.stat().st_size != size or sha256_of(part) != sha256:
            part.unlink()
            raise WrongChecksumError(f"{url}: what came is not what was announced (its SHA-256 differs); try again")
        part.replace(path)


def _tries(work: Callable[[], object], url: str, patience: Patience) -> None:
    """Do what gets something of `url`, again and again until it comes.

    Raises:
        UnavailableError: it did not come, as often as was asked, or another try makes no sense.
        WrongChecksumError: what came last was something else.
    """
    pause = patience.pause
    for left in reversed(range(patience.tries)):
        try:
            work()
            return
        except (UnavailableError, WrongChecksumError) as error:
            if not left or (isinstance(error, UnavailableError) and error.final):
                raise
        logger.warning("%s: no luck, once more in %g s", url, pause)
        time.sleep(pause)
        pause *= 2


@dataclass
class _Transfer:
    """A body on its way into a file.

    Attributes:
        tag: names the version that what has come is a part of.
        known: what the whole has to be is known, and is compared with what has come: no version has to be asked for.
        authorization: for the host in `url`.
    """

    url: str
    file: BinaryIO
    timeout: float
    title: str | None
    tag: str | None = None
    known: bool = False
    authorization: str | None = None

    def go_on(self) -> None:
        """Get what is still to come, or all of it."""
        headers = {"User-Agent": "torchfakes"}
        if (self.tag or self.known) and self.file.tell():
            headers |= {"Range": f"bytes={self.file.tell()}-"}
            headers |= {} if self.known or not self.tag else {"If-Range": self.tag}
        request = self._call(urllib.request.Request, self.url, None, headers)
        if self.authorization:
            request.add_unredirected_header("Authorization", self.authorization)
        with self._call(urllib.request.urlopen, request, None, self.timeout) as response:
            here = self._begin(response)
            length = here + int(response.headers.get("Content-Length") or 0)
            with self._bar(here, length) as bar:
                while block := self._call(response.read1, 1 << 18):
                    self.file.write(block)
                    if bar is not None:
                        bar.update(len(block))
        self.file.flush()
        if self.file.tell() < length:  # read() ends quietly where the connection does
            raise self._unavailable(f"only {self.file.tell()} of {length} bytes came")

    def _bar(self, here: int, length: int) -> Any:
        """For a terminal; a download without a title shows none, and needs nothing but Python."""
        if self.title is None:
            return contextlib.nullcontext()
        from tqdm import tqdm

        return tqdm(desc=self.title, total=length or None, initial=here, unit="B", unit_scale=True, disable=None)

    def _begin(self, response: Any) -> int:
        """How many bytes are there already; none where the server begins anew."""
        tag, before = response.headers.get("ETag"), self.tag
        self.tag = None if not tag or tag.startswith("W/") else tag  # a weak one is not about bytes
        if response.status == http.client.PARTIAL_CONTENT:
            if self.known or tag == before:
                return self.file.tell()
            self.tag = None
            raise self._unavailable("it was changed meanwhile")
        self.file.seek(0)
        self.file.truncate()
        return 0

    def _unavailable(self, reason: str) -> UnavailableError:
        return UnavailableError(f"{self.url}: cannot be fetched ({reason}); is there a network?", reason)

    def _call(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Call what can fail for the network's sake, and only that: a full disk is an OSError, too."""
        try:
            return function(*arguments)
        except urllib.error.HTTPError as error:
            reason = f"the server answered {error.code} {error.reason}".strip()
            if error.code not in _FINAL:
                raise self._unavailable(reason) from error
            what = "refuses it" if error.code in _REFUSED else "does not have it"
            text = f"{self.url}: the server {what} ({error.code}); is there a newer TorchFakes?"
            raise UnavailableError(text, reason, final=True) from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            cause = getattr(error, "reason", error)
            if isinstance(cause, TimeoutError):
                raise self._unavailable(f"no answer for {self.timeout:g} s") from error
            reason = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
            raise self._unavailable(" ".join(reason.split())) from error
