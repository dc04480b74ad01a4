"""What `data_download.sh` does: Mini-FF++, FaceForensics++ by its authors' own script, its split files, weights.

Light until a command runs: help, a dry run and the split files need nothing but Python.
"""

import argparse
import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from torchfakes_utils.cli.command import positive
from torchfakes_utils.cli.output import DONE, INTERRUPTED, SOME_UNUSABLE, UNUSABLE, say, warnings_on_stderr
from torchfakes_utils.datasets import official_script
from torchfakes_utils.datasets.official_script import PARTS, SERVERS, TERMS, USUAL_PARTS, ScriptRun, Selection
from torchfakes_utils.datasets.split_files import WrongSplitsError, write_split_files
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.downloads import UnavailableError, WrongChecksumError

PROGRAM = "data_download.sh"

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
splits    come with TorchFakes, which uses them for any folder that has none of its own; this writes them down.
ffpp      is not ours to pass on. Fill in the form at https://github.com/ondyari/FaceForensics; its authors answer by
          mail with a download script. Give it with --script; it is run for you, server after server, until all is
          there. Then the split files are put beside them, and every video is opened and counted. What is there is never
          fetched twice: after a break, start the same command again.
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


class UsageError(InputError):
    """Wrong usage, or TorchFakes is not installed."""


class NoScriptError(InputError):
    """There is no download script."""


# Exit statuses beside those of `torchfakes`; what is not listed is a file or a folder that cannot be written.
STATUSES: Mapping[type[Exception], int] = {
    UsageError: UNUSABLE,
    UnavailableError: 3,
    official_script.LockedError: 5,
    official_script.TermsError: 6,
    WrongChecksumError: 7,
    WrongSplitsError: 7,
    NoScriptError: 8,
}
NO_SPACE = 4


def main(data: Path, argv: Sequence[str]) -> int:
    """Run one command, and give its exit status.

    Args:
        data: where data goes if no folder is given.
        argv: the command and its arguments.
    """
    command, *rest = argv or ["mini"]
    if command in ("-h", "--help"):
        print(HELP, end="")
        return DONE
    try:
        if command not in _COMMANDS:
            *names, last = _COMMANDS
            raise UsageError(f"there is no '{command}' to get; there are {', '.join(names)} and {last} (see --help)")
        with warnings_on_stderr(False, PROGRAM):
            return _COMMANDS[command](data, rest)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (InputError, OSError) as error:
        say(error, PROGRAM)
        return STATUSES.get(type(error), NO_SPACE)


class _Parser(argparse.ArgumentParser):
    """The options of a command and the one word that stands by itself; wrong usage is an error like all others."""

    def __init__(self, command: str, place: str, usual: Path | str) -> None:
        super().__init__(command, add_help=False, allow_abbrev=False)
        self.place = place
        self.add_argument(place, nargs="?", type=type(usual), default=usual)

    def read(self, argv: Sequence[str]) -> argparse.Namespace:
        found, unknown = self.parse_known_intermixed_args(argv)
        if not unknown:
            return found
        if unknown[0].startswith("-"):
            raise UsageError(f"{self.prog} has no option '{unknown[0]}' (see --help)")
        raise UsageError(f"{self.prog} takes one {self.place}, and not also '{unknown[0]}' (see --help)")

    def error(self, message: str) -> NoReturn:
        words = message.removeprefix("argument ").replace(": ", " ", 1)
        raise UsageError(f"{words.replace('expected one argument', 'needs a value')} (see --help)")


def _words(noun: str, known: Collection[str]) -> Callable[[str], tuple[str, ...]]:
    """Reads known words with blanks between them; `all` is all."""

    def read(text: str) -> tuple[str, ...]:
        for word in text.split() if text != "all" else ():
            if word not in known:
                raise UsageError(f"there is no {noun} '{word}' (see --help)")
        return tuple(known if text == "all" else text.split())

    return read


def _mini(data: Path, argv: list[str]) -> int:
    status = _torchfakes("mini", str(_Parser("mini", "folder", data / "mini").read(argv).folder))
    return status if status in (DONE, INTERRUPTED) else SOME_UNUSABLE


def _splits(data: Path, argv: list[str]) -> int:
    folder = _Parser("splits", "folder", data / "ffpp").read(argv).folder
    print(f"the official split files are in {write_split_files(folder)}")
    return DONE


def _weights(_: Path, argv: list[str]) -> int:
    parser = _Parser("weights", "name", "vggface2")
    parser.add_argument("--sha256")
    args = parser.read(argv)
    if args.name not in ("vggface2", "casia-webface"):
        raise UsageError(f"there are no weights '{args.name}'; there are vggface2 and casia-webface")
    _check_installed()
    from torchfakes_utils.models.pretrained import fetch_weights

    path, digest = fetch_weights(args.name, args.sha256)
    print(f"{path}\nSHA-256 {digest}")
    return DONE


def _verify(_: Path, argv: list[str]) -> int:
    if not argv:
        raise UsageError("verify needs a folder (see --help)")
    return _torchfakes("verify", *argv)


def _ffpp(data: Path, argv: list[str]) -> int:
    args = _ffpp_arguments(data, argv)
    script = args.script or Path("download-FaceForensics.py")
    selection = Selection(args.methods, args.compression, args.num_videos, args.masks)
    pauses = _seconds("TORCHFAKES_BACKOFF", 5), _seconds("TORCHFAKES_POLL", 2)
    run = ScriptRun(script, args.folder, selection, args.servers, args.retries, args.stall_timeout, *pauses)
    there = args.script is not None and script.is_file()
    if args.dry_run:
        _dry_run(run, there)
        return DONE
    if not there:
        gone = f"{args.script}: no such file. " if args.script else ""
        raise NoScriptError(
            f"{gone}FaceForensics++ comes by its authors' own script: fill in the form at {TERMS}, save what they send "
            "you, and give it with --script FILE"
        )
    _check_installed()
    official_script.check_room(run.folder, run.selection)
    with official_script.locked(run.folder):
        run = replace(run, folder=run.folder.resolve())
        official_script.accept_terms(run.folder, args.accept_terms, _ask if sys.stdin.isatty() else None)
        run.download()
        write_split_files(run.folder)
        return _check_all(run, args.redo_damaged)


def _ffpp_arguments(data: Path, argv: list[str]) -> argparse.Namespace:
    parser = _Parser("ffpp", "folder", data / "ffpp")
    parser.add_argument("--script", type=Path)
    parser.add_argument("--methods", type=_words("method", PARTS), default=USUAL_PARTS)
    parser.add_argument("--compression", default="c23")
    parser.add_argument("--num-videos", type=positive)
    parser.add_argument("--servers", type=_words("server", SERVERS), default=SERVERS)
    parser.add_argument("--retries", type=positive, default=3)
    parser.add_argument("--stall-timeout", type=positive, default=120)
    for flag in ("--masks", "--accept-terms", "--dry-run", "--yes-raw", "--redo-damaged"):
        parser.add_argument(flag, action="store_true")
    args = parser.read(argv)
    if args.compression not in ("c23", "c40", "raw"):
        raise UsageError(f"there is no compression '{args.compression}'; there are c23, c40 and raw")
    if args.compression == "raw" and not (args.yes_raw or args.dry_run):
        raise UsageError("raw is about 500 GB; c23 is what most papers train on. If you mean it: --yes-raw")
    return args


def _dry_run(run: ScriptRun, there: bool) -> None:
    print(f"would run, and on failure the same with the next of the servers {' '.join(run.servers)}:")
    for part, kind in run.selection.tasks:
        print(f"  python {run.script} {' '.join(run.selection.arguments(run.folder, part, kind, run.servers[0]))}")
    needed = f"{run.selection.megabytes} MB{', and some more for the masks' * run.selection.masks}"
    print(f"room needed: about {needed}; free: {official_script.free_megabytes(run.folder)} MB")
    if run.selection.compression == "raw":
        say("raw is about 500 GB in all; c23 is what most papers train on", PROGRAM)
    if not there:
        say(f"there is no download script yet: fill in the form at {TERMS} to be sent one", PROGRAM)


def _ask() -> bool:
    """Ask on the terminal whether the terms are accepted."""
    say("FaceForensics++ may be used under its terms only: research, no redistribution, and more.", PROGRAM)
    say(f"They are linked at {TERMS} and in the mail that brought you the script.", PROGRAM)
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
        say("fetching once more what was damaged or missing", PROGRAM)
        run.download()
        status = _torchfakes(*command)
    return status if status in (DONE, INTERRUPTED) else SOME_UNUSABLE


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


_COMMANDS: Mapping[str, Callable[[Path, list[str]], int]] = {
    "mini": _mini, "splits": _splits, "ffpp": _ffpp, "weights": _weights, "verify": _verify
}  # fmt: skip


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    # What has to be cleared up is cleared up in the same way whoever ends the run, but for SIGKILL.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _interrupt)
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
