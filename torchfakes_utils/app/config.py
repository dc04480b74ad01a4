"""How the app is served, and what it accepts. Imports nothing heavy."""

from dataclasses import dataclass, field
from pathlib import Path

from torchfakes_utils.errors import InputError, check_counts
from torchfakes_utils.inference.config import FRAMES
from torchfakes_utils.io.limits import Limits


@dataclass(frozen=True)
class AppLimits:
    """What the app accepts; one upload is judged at a time, so these bound its memory, too.

    Attributes:
        megabytes: the largest file, in millions of bytes; larger ones are refused.
        seconds: the longest video; longer ones are refused.
        megapixels: the largest photo; larger ones are refused.
        queue: files that may wait to be judged; more are asked to come again.
        gigabytes: all files together that arrive or wait, in billions of bytes; more are asked to come again.

    Raises:
        InputError: one that is not above 0, or no room for a single upload.
    """

    megabytes: float = 200
    seconds: float = 300
    megapixels: float = 100
    queue: int = 64
    gigabytes: float = 4

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise InputError(f"--{'max-' * (name != 'queue')}{name} {value:g}: give a number above 0")
        if self.gigabytes * 1000 < self.megabytes:
            total, one = f"--max-gigabytes {self.gigabytes:g}", f"--max-megabytes {self.megabytes:g}"
            raise InputError(f"{total} for all uploads is less than {one} for one")

    @property
    def media(self) -> Limits:
        """The same for whoever opens the files."""
        return Limits(int(self.megapixels * 1e6), self.seconds, int(self.megabytes * 1e6))


@dataclass(frozen=True)
class AppConfig:
    """How the app is served.

    Attributes:
        host: the address it listens at; 127.0.0.1 is this machine alone, 0.0.0.0 is open to the network.
        port: of that address; None takes the first free one from 7860 on.
        share: also through a public address of gradio.live, for a week at most; all uploads then pass through it.
        browser: open the page.
        frames: frames of a video that are looked at.
        limits: what is accepted.
        examples: a Mini-FF++ folder, or a folder of examples made from one; None has no examples.

    Raises:
        InputError: a port or a number of frames below 1.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    share: bool = False
    browser: bool = False
    frames: int = FRAMES
    limits: AppLimits = field(default_factory=AppLimits)
    examples: Path | None = None

    def __post_init__(self) -> None:
        check_counts(self, "port", "frames")
