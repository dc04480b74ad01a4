"""What a file that somebody hands over may ask of this machine. Imports nothing heavy.

`docs/limits.md` has the same as a table, with what it comes to.
"""

from dataclasses import dataclass

# Pixels of a film's frame, and of a picture of an animation: 8K UHD. A decoder holds some twenty frames at once, and a
# forged header asks for any size.
MOST_FRAME_PIXELS = 7680 * 4320

# Pixels that are decoded of one film, to get to those that are looked at: those of an hour of 1080p. In a film as
# encoders write it a fraction of all frames is decoded.
MOST_DECODED_PIXELS = 200 * 10**9

# Frames of a film (nine hours at 30 a second), and all tables of an MP4 together; each costs FFmpeg some 36 bytes.
MOST_FRAMES = 1_000_000
MOST_SAMPLES = 4_000_000

# Tracks of a film: pictures, sound, subtitles and their fonts. FFmpeg looks into each.
MOST_STREAMS = 100

# Pixels of all pictures of an animation that are decoded: to show the last one, all before it are needed.
MOST_ANIMATED_PIXELS = 2 * 10**9


@dataclass(frozen=True)
class Limits:
    """What is refused before it is decoded, and how much memory and time pictures may take.

    Attributes:
        pixels: of a photo. (A frame of a video or of an animation may have 8K.)
        seconds: of a video; None for no limit.
        bytes: of a file; None for no limit.
        memory: bytes that all pictures of one file may take once decoded; where they would take more, fewer are
            looked at.
        patience: seconds that one file may take to be read, and again to be searched for faces.
        own_process: read in a process of its own, whose memory and time are limited; see `io.reader`.
        adjustable: whoever is refused may allow more, by the options of `predict`, which are then named.
    """

    pixels: int = 100_000_000
    seconds: float | None = None
    bytes: int | None = None
    memory: int = 2**30
    patience: float = 300
    own_process: bool = True
    adjustable: bool = True

    @property
    def process_memory(self) -> int:
        """Bytes that the process may take which reads: those of a photo of so many pixels, or of a film of 8K."""
        return max(3 * 2**30, 2**29 + 24 * self.pixels)
