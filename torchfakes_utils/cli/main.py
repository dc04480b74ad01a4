"""The `torchfakes` command: the pipeline, stage by stage, for people and for machines.

Results go to standard output (one JSON object a line with --json), everything else to standard error. Exit status:
0 all done; 1 some input could not be used, and the rest is done; 2 wrong usage or nothing usable; 130 interrupted.

What is imported here is light: a stage's libraries are loaded when it runs, so that `--help` answers at once.
"""

import argparse
import contextlib
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from torchfakes_utils import __version__
from torchfakes_utils.cli.command import Command, add_options, made
from torchfakes_utils.cli.films import EvaluateVideo, MiniTemporal, TrainVideo
from torchfakes_utils.cli.listen import EvaluateAudio, Recordings, TrainAudio, Voices
from torchfakes_utils.cli.other_data import Across, Faces
from torchfakes_utils.cli.output import DONE, INTERRUPTED, SOME_UNUSABLE, UNUSABLE, Output, say, warnings_on_stderr
from torchfakes_utils.cli.stages import (
    Calibrate,
    Clips,
    Evaluate,
    Explain,
    Extract,
    Matrix,
    Mini,
    Recipes,
    Train,
    Verify,
)
from torchfakes_utils.cli.use import App, Bundle, Capstone, Course, Doctor, Export, Predict, Pull, Push, Space
from torchfakes_utils.io.text import printable

# In the order of the pipeline.
_KINDS = (
    Mini,
    MiniTemporal,
    Clips,
    Verify,
    Extract,
    Faces,
    Recipes,
    Train,
    Evaluate,
    Calibrate,
    Matrix,
    Across,
    Explain,
    TrainVideo,
    EvaluateVideo,
    Voices,
    Recordings,
    TrainAudio,
    EvaluateAudio,
    Predict,
    Export,
    Push,
    Pull,
    App,
    Space,
    Course,
    Capstone,
    Bundle,
    Doctor,
)
# TrainVideo is `train-video`.
COMMANDS: Mapping[str, type[Command]] = {
    re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower(): kind for kind in _KINDS
}


class _Parser(argparse.ArgumentParser):
    """Reports wrong usage in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(UNUSABLE, f"{printable(f'{self.prog}: {message} (see {self.prog} --help)')}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments after the program's name; those of the process when not given.

    Returns:
        The exit status, as above.

    Raises:
        SystemExit: after --help and --version (0), and for wrong usage (2).
    """
    # Read when torch is loaded: its threads then wait for each other without taking the processor from whatever else
    # runs. On a machine that does nothing else it costs nothing.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    parser = _commands_parser()
    chosen = parser.parse_args(argv)
    if chosen.command is None:
        parser.print_help(sys.stderr)
        return UNUSABLE
    args = command_parser(chosen.command).parse_intermixed_args(chosen.rest)
    output = Output(sys.stdout, args.json)
    try:
        # Whatever a stage or a library prints is a note, and may not get between the results.
        with warnings_on_stderr(args.debug), contextlib.redirect_stdout(sys.stderr):
            return made(COMMANDS[chosen.command], args).run(output) or DONE
    except KeyboardInterrupt:
        say("interrupted; the same command again goes on with what is not done yet")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has seen enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SOME_UNUSABLE
    except Exception as error:
        if args.debug:
            raise
        say(error)
        return UNUSABLE


def command_parser(name: str) -> argparse.ArgumentParser:
    """The grammar of a command; options may stand before, between and after what is given by its place."""
    parser = _Parser(f"torchfakes {name}", description=COMMANDS[name].summary(), allow_abbrev=False)
    parser.add_argument("--json", action="store_true", help="print results as JSON, one object a line")
    parser.add_argument("--debug", action="store_true", help="on an error, show the traceback")
    add_options(parser, COMMANDS[name])
    return parser


def _commands_parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS)) + 2
    texts = {name: kind.summary().rstrip(".") for name, kind in COMMANDS.items()}
    listed = "\n".join(f"  {name:<{width}}{text[0].lower()}{text[1:]}" for name, text in texts.items())
    parser = _Parser(
        "torchfakes",
        usage="torchfakes [-h] [--version] COMMAND ...",
        description="Detect deepfakes: the pipeline from a data set to a verdict, and the course about it.",
        epilog=f"commands, in the order of the pipeline:\n{listed}\n\n"
        "Exit status: 0 done; 1 some input could not be used, the rest is; 2 wrong usage or nothing usable.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument("command", nargs="?", choices=COMMANDS, metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser
