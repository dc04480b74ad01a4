"""How the app is served, and what it accepts. Imports nothing heavy."""

from dataclasses import dataclass, field
from pathlib import Path

from torchfakes_utils.errors import InputError, check_counts
from torchfakes_utils.io.limits import Limits
from torchfakes_utils.language import ENGLISH, languages
from torchfakes_utils.metrics.config import FRAMES

# Seconds that an upload may take to be read, and again to be searched for faces: the others wait.
_PATIENCE = 60


@dataclass(frozen=True)
class AppLimits:
    """What the app accepts; one upload is judged at a time, so these bound its memory, too.

    Attributes:
        megabytes: the largest file, in millions of bytes; larger ones are refused.
        seconds: the longest video; longer ones are refused.
        megapixels: the largest photo; larger ones are refused.
        queue: files that may wait to be judged; more are asked to come again.
        gigabytes: all files together that arrive or wait, in billions of bytes; more are asked to come again.
        files: how many files may lie here at once, judged or not.
        places: files that may wait in the queue from one address; None is half of the queue. Of bytes and files, too,
            nobody gets more than half.

    Raises:
        InputError: one that is not above 0, or no room for a single upload.
    """

    megabytes: float = 200
    seconds: float = 300
    megapixels: float = 100
    queue: int = 64
    gigabytes: float = 4
    files: int = 256
    places: int | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not value > 0:
                flag = name if name in ("queue", "places") else f"max-{name}"
                raise InputError(f"--{flag} {value:g}: give a number above 0")
        if self.gigabytes * 1000 < self.megabytes:
            total, one = f"--max-gigabytes {self.gigabytes:g}", f"--max-megabytes {self.megabytes:g}"
            raise InputError(f"{total} for all uploads is less than {one} for one")

    @property
    def places_of_one(self) -> int:
        """Files that may wait from one address."""
        return self.places or (self.queue + 1) // 2

    @property
    def media(self) -> Limits:
        """The same for whoever opens the files."""
        return Limits(
            int(self.megapixels * 1e6), self.seconds, int(self.megabytes * 1e6), patience=_PATIENCE, adjustable=False
        )


@dataclass(frozen=True)
class GateLimits:
    """What a visitor may cost before anything is judged. No options: whoever keeps to HTTP never meets them.

    Attributes:
        body: bytes of a request that is no upload; those of the page have a few hundred.
        headers: bytes of a request before its body.
        header_seconds: until a request has said what it wants; the connection is closed then.
        silence: seconds in which nothing of a body arrives; it is given up then.
        slowest: bytes a second at which a body has to arrive on average, once `silence` has passed.
        connections: at once; never more than a third of the files that the system lets the program open, since an
            upload takes up two.
    """

    body: int = 16_000
    headers: int = 16_384
    header_seconds: float = 10
    silence: float = 20
    slowest: int = 16_000
    connections: int = 384


@dataclass(frozen=True)
class AppConfig:
    """How the app is served.

    Attributes:
        host: the address it listens at; 127.0.0.1 is this machine alone, 0.0.0.0 is open to the network.
        port: of that address; None takes the first free one from 7860 on.
        share: also through a public address of gradio.live, for a week at most; all uploads then pass through it.
        browser: open the page.
        frames: frames of a video that are looked at; up to four times as many of a long one or one with short shots.
        limits: what is accepted.
        audio: the run of `train-audio` that judges voices, too: a verdict of its own, below that on the faces; None
            judges no voice.
        examples: a Mini-FF++ folder, or a folder of examples made from one; None has no examples.
        auth: file with USER:PASSWORD, a line each, of who may use it; TORCHFAKES_AUTH may hold such a line instead.
            Not as words of the command, which everybody on this machine can read in the list of processes.
        hosts: further names under which it is reached, such as that of a proxy in front of it; *.example.org is all
            names that end so. The names of its own address need not be given, others are refused.
        proxied: a proxy in front of it says in X-Forwarded-For who is asking.
        framed_by: sites that may show it in a frame.
        gate: what connections may cost.
        language: of the page, by its code, such as es; what it lacks is said in English.

    Raises:
        InputError: a language that there is not, a port or a number of frames below 1, or a name that is none.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    share: bool = False
    browser: bool = False
    frames: int = FRAMES
    limits: AppLimits = field(default_factory=AppLimits)
    audio: Path | None = None
    examples: Path | None = None
    auth: Path | None = None
    hosts: tuple[str, ...] | None = None
    proxied: bool = False
    framed_by: tuple[str, ...] = ()
    gate: GateLimits = field(default_factory=GateLimits)
    language: str = ENGLISH

    def __post_init__(self) -> None:
        check_counts(self, "port", "frames")
        if self.language not in languages():
            raise InputError(f"--language {self.language}: there are {', '.join(languages())}")
        for name in self.hosts or ():
            if any(sign in name for sign in "/: ") or "*" in name.removeprefix("*.") or not name.strip("."):
                raise InputError(f"--hosts {name}: give a name alone, such as fakes.example.org or *.example.org")
