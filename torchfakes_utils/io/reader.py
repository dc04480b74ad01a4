"""Photos and videos of strangers, opened in a process of their own.

Whoever decodes a stranger's file runs what the file makes of millions of lines of C: it may ask for a hundred
gigabytes, never end, or crash. So that happens elsewhere, under a limit of memory and time, by a process that holds no
secrets, may write no file, and hands back bare numbers: whatever it was turned into is not believed. It starts once, in
a third of a second, and is used for one file after the other.

Memory is limited where the system can do it (Linux; elsewhere the limits of `io.limits` alone hold), time everywhere.
"""

import contextlib
import dataclasses
import gc
import json
import os
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from typing import IO, Any

import numpy as np

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.decoding import Source, name_of
from torchfakes_utils.io.limits import MOST_FRAME_PIXELS, Limits
from torchfakes_utils.io.media import Media, open_media
from torchfakes_utils.io.passages import Pace, open_passages
from torchfakes_utils.io.photos import formats

_LONGEST_LINE = 2**24
# Of the environment, what programs need to start; the rest may hold what a stranger's file should not see.
_ENVIRONMENT = {
    "PATH", "SYSTEMROOT", "LANG", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ",
}  # fmt: skip
_START = "from torchfakes_utils.io.reader import serve; serve()"
# Seconds; the system's clocks know no more.
_LONGEST_PATIENCE = 10**6


class Reader:
    """Opens photos and videos in a process of its own; to be used by any thread, one file after the other."""

    def __init__(self, limits: Limits = Limits()) -> None:
        """Start the process, and do not wait for it.

        Args:
            limits: what is refused, and how much memory and time a file may take.
        """
        self.limits = limits
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        if limits.own_process:
            with contextlib.suppress(OSError):  # said when it is needed
                self._started()

    def open_media(self, source: Source, frames: int = 16) -> Media:
        """As `media.open_media`.

        Raises:
            InputError: as there; or the file takes more memory or time than it may, or crashes what reads it.
        """
        return self._opened(source, frames)

    def open_passages(self, source: Source, pace: Pace) -> Media:
        """As `passages.open_passages`.

        Raises:
            InputError: as there; or the file takes more memory or time than it may, or crashes what reads it.
        """
        return self._opened(source, pace)

    def _opened(self, source: Source, wanted: int | Pace) -> Media:
        if not self.limits.own_process:
            try:
                return _open(source, wanted, self.limits)
            except MemoryError as error:
                raise InputError(f"{name_of(source)}: {self._too_hungry()}") from error
        with self._lock:
            return self._ask(source, wanted)

    def close(self) -> None:
        """End the process; it starts again when it is needed."""
        if self._process is not None:
            _end(self._process, self._owner)
            self._process = None

    def _ask(self, source: Source, wanted: int | Pace) -> Media:
        name = name_of(source)
        try:
            process = self._started()
        except OSError as error:
            raise InputError(f"{name}: the process that reads it cannot be started ({error}); free memory") from error
        late = threading.Timer(min(self.limits.patience, _LONGEST_PATIENCE), process.kill)
        late.start()
        try:
            _send(process, source, wanted)
            media, problem = _received(process, name, self.limits)
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            why = self._why_not(process, late.is_alive(), error)
            self.close()
            raise InputError(f"{name}: {why}") from error
        except BaseException:
            self.close()  # its answer is still under way
            raise
        finally:
            late.cancel()
        if media is not None:
            return media
        if not problem:
            self.close()  # what is left of it may lack room for the next file, too
            problem = f"{name}: {self._too_hungry()}"
        raise InputError(problem)

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            self.close()
            self._process, self._owner = _start(self.limits), os.getpid()
            weakref.finalize(self, _end, self._process, self._owner)
        return self._process

    def _why_not(self, process: "subprocess.Popen[bytes]", in_time: bool, error: Exception) -> str:
        """Why the process has not answered."""
        if not in_time:
            most = f"{self.limits.patience:g} s"
            more = ", or allow more (--patience)" if self.limits.adjustable else ""
            return f"takes longer to read than the {most} that it may; cut out a part{more}"
        how = str(error) or type(error).__name__
        if isinstance(error, EOFError | OSError):  # it has ended, or is about to
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(2)
                if code == -getattr(signal, "SIGKILL", 9):  # as the system does where memory is short
                    return self._too_hungry()
                how = f"signal {-code}" if code < 0 else how
        return f"what reads it has crashed over it ({how}); convert it with a program that you trust"

    def _too_hungry(self) -> str:
        most = self.limits.process_memory / 2**30
        return f"takes more memory to read than the {most:.0f} GiB that it may; scale it down, or cut out a part"


def _start(limits: Limits) -> "subprocess.Popen[bytes]":
    environment = {name: value for name, value in os.environ.items() if name.upper() in _ENVIRONMENT}
    # Where we find our packages, so that no file in the folder at hand is taken for one of them.
    paths = [str(Path(__file__).parents[2]), *(os.path.abspath(path) for path in sys.path if path)]  # noqa: PTH100
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    # It writes nothing (-B), not even bytecode beside the program that a Space is made from.
    wanted = json.dumps({"memory": limits.process_memory, "limits": dataclasses.asdict(limits)})
    command = [sys.executable, "-BP", "-c", _START, wanted]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, pipesize=2**20)


def _end(process: "subprocess.Popen[bytes]", owner: int) -> None:
    if owner != os.getpid():  # it serves the process that this one was forked from
        return
    process.kill()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()
    process.wait()


def _open(source: Source, wanted: int | Pace, limits: Limits, pictures: list[np.ndarray] | None = None) -> Media:
    """So many frames of a file, or passages of a film."""
    opener: Any = open_passages if isinstance(wanted, Pace) else open_media
    media: Media = opener(source, wanted, limits, pictures)
    return media


def _send(process: "subprocess.Popen[bytes]", source: Source, wanted: int | Pace) -> None:
    content = source if isinstance(source, bytes) else b""
    path = None if isinstance(source, bytes) else os.fspath(source)
    folder = ""
    with contextlib.suppress(OSError):  # it may be gone
        folder = str(Path.cwd())
    request: dict[str, Any] = {"path": path, "bytes": len(content), "frames": wanted, "folder": folder}
    if isinstance(wanted, Pace):
        request["frames"] = dataclasses.asdict(wanted)
    to: IO[bytes] = process.stdin  # type: ignore[assignment]  # it has one
    to.write(json.dumps(request).encode() + b"\n")
    to.write(content)
    to.flush()


def _received(process: "subprocess.Popen[bytes]", name: str, limits: Limits) -> tuple[Media | None, str]:
    """What the process answers: the media, or why there are none; "" for lack of memory.

    Raises:
        EOFError, OSError, TypeError, ValueError, KeyError: it died, or its answer is none.
    """
    source: IO[bytes] = process.stdout  # type: ignore[assignment]  # it has one
    pictures: list[np.ndarray] = []
    room = limits.memory + 3 * max(limits.pixels, MOST_FRAME_PIXELS)
    while True:
        line = source.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise EOFError("it ended")
        message: dict[str, Any] = json.loads(line)
        if "problem" in message:
            return None, str(message["problem"])
        if "media" in message:
            return _media(message["media"], name, pictures), ""
        height, width = message["shape"]
        room -= 3 * height * width
        if not (height > 0 < width and room >= 0):
            raise ValueError("it sends more than it may")
        picture = np.empty((height, width, 3), np.uint8)
        if source.readinto(picture.data.cast("B")) < picture.nbytes:  # type: ignore[attr-defined]  # it is buffered
            raise EOFError("it ended")
        pictures.append(picture)


def _media(fields: dict[str, Any], name: str, pictures: list[np.ndarray]) -> Media:
    """From what `_fields` gave."""
    values: dict[str, Any] = {
        key: np.asarray(value["array"], {"i": np.int64, "f": np.float64}[value["kind"]]).reshape(value["shape"])
        if isinstance(value, dict)
        else tuple(value)
        if isinstance(value, list)
        else value
        for key, value in fields.items()
    }
    media = Media(name=name, pictures=pictures, **values)
    if not 0 < len(pictures) == len(media.indices) == len(media.times) == len(media.shots):
        raise ValueError("its answer makes no sense")
    return media.in_order()


def _fields(media: Media) -> dict[str, Any]:
    """A media, without its name and pictures, as `json.dumps` takes it."""
    values = {field.name: getattr(media, field.name) for field in dataclasses.fields(media)}
    return {
        key: {"array": value.ravel().tolist(), "kind": value.dtype.kind, "shape": value.shape}
        if isinstance(value, np.ndarray)
        else value
        for key, value in values.items()
        if key not in ("name", "pictures")
    }


class _Sent(list[np.ndarray]):
    """Pictures that are sent away, one by one, instead of being kept."""

    def __init__(self, to: IO[bytes]) -> None:
        super().__init__()
        self.to = to

    def append(self, picture: np.ndarray) -> None:
        """Send one."""
        self.to.write(json.dumps({"shape": picture.shape[:2]}).encode() + b"\n")
        self.to.write(np.ascontiguousarray(picture).data)


def serve() -> None:
    """What the process does: read what it is asked for, within the limits in its argument, until nobody asks."""
    wanted = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (1, 2):  # where decoders and Python would write what nobody wants to see
        os.dup2(nowhere, standard)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asks
    formats()  # imports what it needs, before no file may be written any more
    _limit(wanted["memory"])
    allowed = Limits(**wanted["limits"])
    while request := sys.stdin.buffer.readline():
        asked = json.loads(request)
        content = sys.stdin.buffer.read(asked["bytes"]) if asked["path"] is None else asked["path"]
        with contextlib.suppress(OSError):
            os.chdir(asked["folder"])
        answers.write(json.dumps(_answer(content, _wanted(asked["frames"]), allowed, answers)).encode() + b"\n")
        answers.flush()
        gc.collect()  # what PyAV leaves in circles holds threads


def _wanted(asked: int | dict[str, Any]) -> int | Pace:
    return asked if isinstance(asked, int) else Pace(**asked)


def _answer(source: Source, wanted: int | Pace, limits: Limits, to: IO[bytes]) -> dict[str, Any]:
    late = getattr(signal, "alarm", lambda seconds: None)
    late(round(min(limits.patience, _LONGEST_PATIENCE)) + 10)  # if nobody is left who would end it
    try:
        return {"media": _fields(_open(source, wanted, limits, _Sent(to)))}
    except InputError as error:
        return {"problem": str(error)}
    except MemoryError:
        return {"problem": ""}
    except Exception as error:  # noqa: BLE001 - whatever it is, it is said in one line, and the next file is read
        why = " ".join(f"{type(error).__name__}: {error}".split())
        return {"problem": f"{name_of(source)}: cannot be read (unexpected {why[:200]}); save it in another format"}
    finally:
        late(0)


def _limit(memory: int) -> None:
    """Allow this process so much memory, and no file that it writes; as far as the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    wanted = {"RLIMIT_DATA": memory, "RLIMIT_AS": memory + 2**31, "RLIMIT_FSIZE": 0, "RLIMIT_CORE": 0}
    for name, most in wanted.items():
        with contextlib.suppress(AttributeError, OSError, ValueError):
            kind = getattr(resource, name)
            _, hard = resource.getrlimit(kind)
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (most, most))
