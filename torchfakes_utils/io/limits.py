"""What a file that somebody hands over may ask of this machine. Imports nothing heavy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What is refused before it is decoded, and how much memory pictures may take.

    Attributes:
        pixels: of a photo or of a picture in an animation. (A frame of a video may have 8K.)
        seconds: of a video; None for no limit.
        bytes: of a file; None for no limit.
        memory: bytes that all pictures of one file may take once decoded; where they would take more, fewer are
            looked at.
    """

    pixels: int = 100_000_000
    seconds: float | None = None
    bytes: int | None = None
    memory: int = 2**30
