"""FaceForensics++ by its authors' own download script, which is driven here: servers, stalls, resuming, room, terms.

The data set is not ours to pass on. The script comes by mail to those who fill in the authors' form; it skips what is
there, ends at the first error, and waits for a key press that accepts the terms.
"""

import contextlib
import datetime
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.downloads import UnavailableError

logger = logging.getLogger(__name__)

TERMS = "https://github.com/ondyari/FaceForensics"
SERVERS = ("EU", "EU2", "CA")


class LockedError(InputError):
    """Another run is at work in the folder."""


class TermsError(InputError):
    """The terms of use were not accepted."""


@dataclass(frozen=True)
class Part:
    """A part of the data set.

    Attributes:
        method: its name in `clips.csv` and in the folders.
        megabytes: about what it takes as c23: FaceForensics++ is 10 GB in six parts, DeepFakeDetection 3 + 22 GB.
        videos: how many there are.
        masks: whether there are masks of the manipulated pixels.
    """

    method: str
    megabytes: int = 1700
    videos: int = 1000
    masks: bool = True


# By the names that the script has for them.
PARTS = {
    "original": Part("youtube", masks=False),
    "Deepfakes": Part("Deepfakes"),
    "Face2Face": Part("Face2Face"),
    "FaceSwap": Part("FaceSwap"),
    "NeuralTextures": Part("NeuralTextures"),
    "FaceShifter": Part("FaceShifter", masks=False),
    "DeepFakeDetection_original": Part("actors", 3000, 363, masks=False),
    "DeepFakeDetection": Part("DeepFakeDetection", 22000, 3068),
}
USUAL_PARTS = tuple(PARTS)[:5]


@dataclass(frozen=True)
class Selection:
    """What of the data set is wanted.

    Attributes:
        parts: names in `PARTS`.
        compression: "raw", "c23" or "c40".
        num_videos: only the first so many of each part.
        masks: also the masks, of the parts that have any.
    """

    parts: tuple[str, ...] = USUAL_PARTS
    compression: str = "c23"
    num_videos: int | None = None
    masks: bool = False

    @property
    def tasks(self) -> list[tuple[str, str]]:
        """Part and type ("videos", "masks") of each call of the script."""
        kinds = [(part, kind) for part in self.parts for kind in ("videos", "masks")]
        return [(part, kind) for part, kind in kinds if kind == "videos" or (self.masks and PARTS[part].masks)]

    @property
    def megabytes(self) -> int:
        """About the room that the videos take."""
        total, number = 0, self.num_videos
        for part in (PARTS[name] for name in self.parts):
            whole = {"c23": part.megabytes, "c40": part.megabytes // 5, "raw": part.megabytes * 50}[self.compression]
            total += whole if number is None or number >= part.videos else whole * number // part.videos + 1
        return total

    def arguments(self, folder: Path, part: str, kind: str, server: str) -> list[str]:
        """The script's."""
        number = [] if self.num_videos is None else ["-n", str(self.num_videos)]
        return [str(folder), "-d", part, "-c", self.compression, "-t", kind, "--server", server, *number]


@dataclass(frozen=True)
class ScriptRun:
    """How the script is driven.

    Attributes:
        script: the authors' script.
        folder: the data set.
        selection: what of it is wanted.
        servers: to try, in this order.
        rounds: over all servers.
        stall: seconds without a new byte after which the next server is tried.
        pause: seconds before the second round; doubled before each further one.
        poll: seconds between two measurements of what has come.
    """

    script: Path
    folder: Path
    selection: Selection
    servers: tuple[str, ...] = SERVERS
    rounds: int = 3
    stall: float = 120
    pause: float = 5
    poll: float = 2

    def download(self) -> None:
        """Get everything that is not there yet.

        Raises:
            UnavailableError: no server gave all of a part; what came is kept.
        """
        for part, kind in self.selection.tasks:
            logger.warning("%s, %s, %s", part, kind, self.selection.compression)
            self._download_part(part, kind)

    def _download_part(self, part: str, kind: str) -> None:
        pause = self.pause
        for left in reversed(range(self.rounds)):
            for server in self.servers:
                reason = self._call(self.selection.arguments(self.folder, part, kind, server))
                if reason is None:
                    return
                logger.warning("%s (%s): server %s failed (%s)", part, kind, server, reason)
            if left:
                logger.warning("once more in %g s", pause)
                time.sleep(pause)
                pause *= 2
        reason = f"no server gave all of it in {self.rounds} rounds ({' '.join(self.servers)})"
        raise UnavailableError(f"{part} ({kind}): {reason}. What came is kept: try again later", reason)

    def _call(self, arguments: list[str]) -> str | None:
        """Run the script once; None, or why it did not do all.

        It waits for a key press that accepts the terms, which the user has done. In a session of its own, it can be
        stopped together with whatever it has started.
        """
        command = [sys.executable, str(self.script), *arguments]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=2, start_new_session=True)  # 2: stderr
        size, since = -1, time.monotonic()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(b"\n", self.poll)
            while process.poll() is None and time.monotonic() - since < self.stall:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(self.poll)
                before, size = size, folder_bytes(self.folder)
                if size != before:
                    since = time.monotonic()
            stalled = process.poll() is None
        finally:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended just now
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            sweep(self.folder)
        if stalled:
            return f"nothing came for {self.stall:g} s"
        status = process.returncode
        return None if status == 0 else f"status {status if status > 0 else 128 - status}"


def sweep(folder: Path) -> None:
    """Delete the halves of files that a killed script leaves: Python's names for temporary files."""
    for part in ("original_sequences", "manipulated_sequences"):
        for path in (folder / part).rglob("tmp????????"):
            if path.is_file() and re.fullmatch("tmp[a-z0-9_]{8}", path.name):
                path.unlink(missing_ok=True)


def folder_bytes(folder: Path) -> int:
    """What the files in a folder hold together, at this moment."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # it has got its final name meanwhile
                total += Path(place, name).lstat().st_size
    return total


def free_megabytes(folder: Path) -> int:
    """What is free where the folder is, or will be."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    return shutil.disk_usage(there).free >> 20


def check_room(folder: Path, selection: Selection) -> None:
    """Refuse what cannot fit, together with what is there already.

    Raises:
        InputError: it cannot be had.
    """
    free = free_megabytes(folder)
    if free + (folder_bytes(folder) >> 20) < selection.megabytes:
        raise InputError(
            f"{folder}: about {selection.megabytes} MB are needed and {free} MB are free; free some, take --num-videos "
            "or --compression c40"
        )


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Have a folder to oneself; the lock of a process that was killed is free.

    Raises:
        LockedError: another run has it.
        InputError: the folder cannot be made or written to.
    """
    from filelock import FileLock, Timeout

    # Its owner stands in a file of its own: older versions of filelock empty theirs when somebody else asks for it.
    path, owned = folder / ".download.lock", folder / ".download.owner"
    lock, owner = FileLock(path), ""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            owner = owned.read_text(encoding="ascii", errors="replace").strip()
        lock.acquire(timeout=0)
        owned.write_text(str(os.getpid()), encoding="ascii")
    except Timeout as error:
        raise LockedError(f"{folder}: another download is at work there (process {owner}); wait for it") from error
    except OSError as error:
        raise InputError(f"{folder}: cannot be written to ({error.strerror}); choose another folder") from error
    if owner:
        logger.warning("%s: taking over from a download that was killed", folder)
    try:
        yield
    finally:
        owned.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        lock.release()


def accept_terms(folder: Path, accepted: bool, ask: Callable[[], bool] | None) -> None:
    """See to it that the user has accepted the terms of use; it is asked once for a folder.

    Args:
        folder: where the answer is kept.
        accepted: it was said with the command.
        ask: asks; None where nobody is there to answer.

    Raises:
        TermsError: they were not accepted.
    """
    record = folder / ".terms-accepted"
    if record.is_file():
        return
    if not accepted and ask is None:
        raise TermsError(f"read the FaceForensics terms of use (linked at {TERMS}); if you accept them: --accept-terms")
    if not accepted and ask is not None and not ask():
        raise TermsError("nothing was downloaded")
    now = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
    record.write_text(f"The FaceForensics terms of use ({TERMS}) were accepted on {now}.\n", encoding="utf-8")
