"""What `data_download.sh` does: Mini-FF++, FaceForensics++ by its authors' own script, its split files, weights.

Light until a command runs: help, a dry run and the split files need nothing but Python.
"""

import enum
import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torchfakes_utils.cli.output import explain, warnings_on_stderr
from torchfakes_utils.cli.words import UsageError, Words
from torchfakes_utils.datasets import official_script
from torchfakes_utils.datasets.official_script import PARTS, SERVERS, TERMS, USUAL_PARTS, ScriptRun, Selection
from torchfakes_utils.datasets.split_files import GITHUB, fetch_split_files
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.downloads import Patience, UnavailableError, WrongChecksumError

PROGRAM = "data_download.sh"

_TRIES, _STALL = 3, 120


class Status(enum.IntEnum):
    """Exit statuses."""

    DONE = 0
    INCOMPLETE = 1
    USAGE = 2
    NETWORK = 3
    NO_SPACE = 4
    LOCKED = 5
    NO_TERMS = 6
    WRONG_SUM = 7
    NO_SCRIPT = 8
    INTERRUPTED = 130


HELP = """\
Usage: ./data_download.sh [mini] [FOLDER]        make Mini-FF++ in FOLDER (default: data/mini)
       ./data_download.sh splits [FOLDER]        the official split files of FaceForensics++ (default: data/ffpp)
       ./data_download.sh ffpp --script FILE [FOLDER] [options]
                                                 FaceForensics++, by its authors' download script (default: data/ffpp)
       ./data_download.sh weights [NAME] [--sha256 HEX]
                                                 vggface2 (default) or casia-webface, to where training looks for them
       ./data_download.sh verify FOLDER [options of `torchfakes verify`]

mini      needs no account and no network: it is rendered on this computer in a minute or two from two public-domain
          portraits, and takes less than 60 MB.
splits    come from the authors' repository, at a pinned commit, with a known checksum.
ffpp      is not ours to pass on. Fill in the form at https://github.com/ondyari/FaceForensics; its authors answer by
          mail with a download script. Give it with --script; it is run for you, server after server, until all is
          there. Then the split files are fetched, and every video is opened and counted. What is there is never fetched
          twice: after a break, start the same command again.
weights   of facenet-pytorch's InceptionResnetV1 (107 MB) come without a published checksum. They are checked for what
          they must hold; their SHA-256 is printed and kept, and --sha256 compares it with one that you trust.

Options of ffpp
  --script FILE           the authors' script (download-FaceForensics.py or faceforensics_download_v4.py)
  --methods "A B …"       of original Deepfakes Face2Face FaceSwap NeuralTextures FaceShifter DeepFakeDetection
                          DeepFakeDetection_original (default: the first five); `all` for all
  --compression NAME      c23 (default; what most papers train on, about 10 GB in all), c40 (about 2 GB) or raw (about
                          500 GB: it has to be confirmed by --yes-raw)
  --num-videos N          only the first N of each; the same number for originals and fakes gives the same people
  --masks                 also the masks of the manipulated pixels (for lesson 07; there are none for FaceShifter)
  --servers "A B …"       to try, in this order (default: EU EU2 CA)
  --retries N             rounds over all servers (default: 3), with growing pauses between them
  --stall-timeout N       seconds without a new byte after which the next server is tried (default: 120)
  --redo-damaged          delete what cannot be opened, and fetch it once more
  --accept-terms          you have read and accepted the FaceForensics terms of use (asked for once otherwise)
  --dry-run               say what would be done and how much room it takes; touch nothing
  --yes-raw               yes, half a terabyte

Exit status: 0 all is there; 1 something is missing or damaged, and named; 2 wrong usage, or TorchFakes is not installed
(run `make setup`); 3 no server gave it; 4 too little room on the disk; 5 another run is at work in the folder; 6 the
terms were not accepted; 7 a file has the wrong checksum; 8 there is no download script; 130 interrupted.
"""


class _NoScriptError(InputError):
    """There is no download script."""


# What is not listed is a file or a folder that cannot be written.
_STATUSES: Mapping[type[InputError], Status] = {
    UsageError: Status.USAGE,
    UnavailableError: Status.NETWORK,
    official_script.ServersError: Status.NETWORK,
    official_script.LockedError: Status.LOCKED,
    official_script.TermsError: Status.NO_TERMS,
    WrongChecksumError: Status.WRONG_SUM,
    _NoScriptError: Status.NO_SCRIPT,
}


def main(data: Path, argv: Sequence[str]) -> int:
    """Run one command.

    Args:
        data: where data goes if no folder is given.
        argv: the command and its arguments.

    Returns:
        A `Status`.
    """
    command, *rest = argv or ["mini"]
    if command in ("-h", "--help"):
        print(HELP, end="")
        return Status.DONE
    try:
        if command not in _COMMANDS:
            raise UsageError(
                f"there is no '{command}' to get; there are mini, splits, ffpp, weights and verify (see --help)"
            )
        with warnings_on_stderr(False, PROGRAM):
            return _COMMANDS[command](data, rest)
    except KeyboardInterrupt:
        return Status.INTERRUPTED
    except InputError as error:
        _say(explain(error))
        return _STATUSES.get(type(error), Status.NO_SPACE)
    except OSError as error:
        _say(explain(error))
        return Status.NO_SPACE


def _mini(data: Path, argv: list[str]) -> int:
    folder = Words.read("mini", argv).folder("mini", data / "mini")
    status = _torchfakes("mini", str(folder))
    return status if status in (Status.DONE, Status.INTERRUPTED) else Status.INCOMPLETE


def _splits(data: Path, argv: list[str]) -> int:
    folder = Words.read("splits", argv).folder("splits", data / "ffpp")
    print(f"the official split files are in {_fetch_split_files(folder)}")
    return Status.DONE


def _weights(_: Path, argv: list[str]) -> int:
    words = Words.read("weights", argv, ["--sha256"])
    name = "vggface2"
    for name in words.places:
        if name not in ("vggface2", "casia-webface"):
            raise UsageError(f"there are no weights '{name}'; there are vggface2 and casia-webface")
    _check_installed()
    from torchfakes_utils.models.pretrained import fetch_weights

    path, digest = fetch_weights(name, words.values.get("--sha256"))
    print(f"{path}\nSHA-256 {digest}")
    return Status.DONE


def _verify(_: Path, argv: list[str]) -> int:
    if not argv:
        raise UsageError("verify needs a folder (see --help)")
    return _torchfakes("verify", *argv)


def _ffpp(data: Path, argv: list[str]) -> int:
    valued = ("--script", "--methods", "--compression", "--num-videos", "--servers", "--retries", "--stall-timeout")
    flags = ("--masks", "--accept-terms", "--dry-run", "--yes-raw", "--redo-damaged")
    words = Words.read("ffpp", argv, valued, flags)
    script = words.values.get("--script")
    run = ScriptRun(
        Path(script or "download-FaceForensics.py"),
        words.folder("ffpp", data / "ffpp"),
        _selection(words),
        words.several("--servers", SERVERS, SERVERS, "server"),
        words.count("--retries") or _TRIES,
        words.count("--stall-timeout") or _STALL,
        _seconds("TORCHFAKES_BACKOFF", 5),
        _seconds("TORCHFAKES_POLL", 2),
    )
    there = bool(script) and run.script.is_file()
    if "--dry-run" in words.flags:
        _dry_run(run, there)
        return Status.DONE
    if not there:
        raise _NoScriptError(_script_wanted(script))
    _check_installed()
    official_script.check_room(run.folder, run.selection)
    with official_script.locked(run.folder):
        run = replace(run, folder=run.folder.resolve())
        official_script.accept_terms(run.folder, "--accept-terms" in words.flags, _ask if sys.stdin.isatty() else None)
        run.download()
        _fetch_split_files(run.folder, run.rounds, run.stall)
        return _check_all(run, "--redo-damaged" in words.flags)


def _selection(words: Words) -> Selection:
    compression = words.values.get("--compression", "c23")
    if compression not in ("c23", "c40", "raw"):
        raise UsageError(f"there is no compression '{compression}'; there are c23, c40 and raw")
    if compression == "raw" and not words.flags & {"--yes-raw", "--dry-run"}:
        raise UsageError("raw is about 500 GB; c23 is what most papers train on. If you mean it: --yes-raw")
    number = words.count("--num-videos")
    if words.values.get("--methods") == "all":
        words.values["--methods"] = " ".join(PARTS)
    parts = words.several("--methods", USUAL_PARTS, PARTS, "method")
    return Selection(parts, compression, number, "--masks" in words.flags)


def _dry_run(run: ScriptRun, there: bool) -> None:
    print(f"would run, and on failure the same with the next of the servers {' '.join(run.servers)}:")
    for part, kind in run.selection.tasks:
        print(f"  python {run.script} {' '.join(run.selection.arguments(run.folder, part, kind, run.servers[0]))}")
    more = ", and some more for the masks" if run.selection.masks else ""
    print(
        f"room needed: about {run.selection.megabytes} MB{more}; free: {official_script.free_megabytes(run.folder)} MB"
    )
    if run.selection.compression == "raw":
        _say("raw is about 500 GB in all; c23 is what most papers train on")
    if not there:
        _say(f"there is no download script yet: fill in the form at {TERMS} to be sent one")


def _script_wanted(given: str | None) -> str:
    gone = f"{given}: no such file. " if given else ""
    return (
        f"{gone}FaceForensics++ comes by its authors' own script: fill in the form at {TERMS}, save what they send "
        "you, and give it with --script FILE"
    )


def _ask() -> bool:
    """Ask on the terminal whether the terms are accepted."""
    _say("FaceForensics++ may be used under its terms only: research, no redistribution, and more. They are linked at")
    _say(f"{TERMS} and in the mail that brought you the script.")
    print("Have you read and accepted them? Type yes: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() == "yes"


def _check_all(run: ScriptRun, redo: bool) -> int:
    """Open and count every video; with `redo`, fetch once more what is damaged."""
    wanted = run.selection
    command = ["verify", str(run.folder), "--methods", ",".join(PARTS[name].method for name in wanted.parts)]
    command += ["--compressions", wanted.compression, "--complete"]
    command += [] if wanted.num_videos is None else ["--num-videos", str(wanted.num_videos)]
    command += ["--masks"] * wanted.masks + ["--delete-damaged"] * redo
    status = _torchfakes(*command)
    if status and redo:
        _say("fetching once more what was damaged or missing")
        run.download()
        status = _torchfakes(*command)
    return status if status in (Status.DONE, Status.INTERRUPTED) else Status.INCOMPLETE


def _fetch_split_files(folder: Path, tries: int = _TRIES, timeout: float = _STALL) -> Path:
    patience = Patience(timeout, tries, _seconds("TORCHFAKES_BACKOFF", 5))
    return fetch_split_files(folder, patience, os.environ.get("TORCHFAKES_GITHUB") or GITHUB)


def _torchfakes(*argv: str) -> int:
    """Run a command of `torchfakes`."""
    _check_installed()
    from torchfakes_utils.cli.main import main as torchfakes

    return torchfakes(argv)


def _check_installed() -> None:
    if importlib.util.find_spec("torch") is None:
        raise UsageError("TorchFakes is not installed; run `make setup` first")


def _seconds(variable: str, usual: float) -> float:
    """For tests: they cannot wait as long."""
    return float(os.environ.get(variable) or usual)


def _say(text: str) -> None:
    print(f"{PROGRAM}: {text}", file=sys.stderr, flush=True)


_COMMANDS: Mapping[str, Callable[[Path, list[str]], int]] = {
    "mini": _mini,
    "splits": _splits,
    "ffpp": _ffpp,
    "weights": _weights,
    "verify": _verify,
}


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # What has to be cleared up is cleared up in the same way whoever ends the run, but for SIGKILL.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _interrupt)
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
