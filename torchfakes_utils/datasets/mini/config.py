"""What Mini-FF++ is made of. Imports nothing heavy."""

from dataclasses import dataclass

from torchfakes_utils.errors import InputError


@dataclass(frozen=True)
class MiniConfig:
    """What to make. The same configuration gives the same files, byte for byte, on the same versions of the codecs.

    Attributes:
        identities: people in it, an even number: they forge each other in pairs.
        size: edge of a frame, pixels, even.
        seed: another one gives other people.
        seconds: mean length of a clip.
    """

    identities: int = 32
    size: int = 320
    seed: int = 0
    seconds: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what cannot be made.

        Raises:
            InputError: a value out of its range.
        """
        if self.identities < 6 or self.identities % 2 or self.identities > 1000:
            raise InputError(
                f"{self.identities} identities: give an even number from 6 to 1000 (a pair a split at least)"
            )
        if self.size < 96 or self.size % 2:
            raise InputError(f"frames of {self.size} px: give an even number from 96")
        if self.seconds < 0.4:
            raise InputError(f"clips of {self.seconds} s: give at least 0.4")
