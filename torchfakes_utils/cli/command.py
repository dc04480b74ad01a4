"""What a command is: a dataclass whose fields are its arguments, and which runs."""

import abc
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from torchfakes_utils.cli.options import argument
from torchfakes_utils.cli.output import Output

# Exit statuses: all done; some input could not be used, and the rest is done; wrong usage, or nothing usable.
DONE, SOME_UNUSABLE, UNUSABLE, INTERRUPTED = 0, 1, 2, 130


@dataclass(frozen=True)
class Command(abc.ABC):
    """A command; the first line of its docstring is what the help says of it."""

    @abc.abstractmethod
    def run(self, output: Output) -> int:
        """Do it, and give the exit status."""

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring, as a part of a sentence."""
        first = (cls.__doc__ or "").splitlines()[0].rstrip(".")
        return first[:1].lower() + first[1:]


def _run(text: str) -> Path | str:
    """A path, or an address, which stays a text: a path would lose one of its slashes."""
    return text if text.startswith("hf://") else Path(text)


@dataclass(frozen=True)
class RunCommand(Command):
    """A command that needs a trained detector.

    Attributes:
        run_folder: the folder that `train` wrote, or hf://owner/name[@revision] on the Hugging Face Hub.
    """

    run_folder: Annotated[Path | str, _run] = argument("RUN")

    def fetched(self, writes: bool = False) -> Path:
        """RUN on this machine; of an address a copy where the command `writes` beside the detector."""
        if isinstance(self.run_folder, Path):
            return self.run_folder
        from torchfakes_utils.hub import pull

        return pull.resolve(self.run_folder, pull.WORK if writes else None)
