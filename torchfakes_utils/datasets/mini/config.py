"""What Mini-FF++ is made of. Imports nothing heavy."""

from dataclasses import dataclass

from torchfakes_utils.errors import InputError

MINI_FILE = "mini.json"  # in the data set's folder: what was made, and who is in it


@dataclass(frozen=True)
class MiniConfig:
    """What to make. The same configuration gives the same files, byte for byte, on the same versions of the codecs.

    Attributes:
        identities: people in it, an even number: they forge each other in pairs.
        size: edge of a frame, pixels, even.
        seed: another one gives other people.
        seconds: mean length of a clip.
    """

    identities: int = 64
    size: int = 320
    seed: int = 0
    seconds: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what cannot be made."""
        if self.identities not in range(6, 1001, 2):
            message = "give an even number from 6 to 1000 (a pair a split at least)"
            raise InputError(f"{self.identities} identities: {message}")
        if self.size not in range(96, 4097, 2):
            raise InputError(f"frames of {self.size} px: give an even number from 96 to 4096")
        if not 0.4 <= self.seconds <= 600:
            raise InputError(f"clips of {self.seconds} s: give at least 0.4 and at most 600")


@dataclass(frozen=True)
class TemporalConfig(MiniConfig):
    """What to make of the family that only time betrays; as `MiniConfig`.

    Attributes:
        size: edge of a frame, pixels, even; smaller than Mini-FF++'s, for its films are longer.
        seconds: mean length of a clip.
        forged_seconds: of each partial fake.
    """

    size: int = 224
    seconds: float = 10.0
    forged_seconds: float = 2.0

    def __post_init__(self) -> None:
        """Refuse what cannot be made."""
        super().__post_init__()
        # The shortest clip has 0.88 of the mean length, and half a second at either end stays as it is.
        most = 0.88 * self.seconds - 1
        if not 0.4 <= self.forged_seconds <= most:
            raise InputError(
                f"{self.forged_seconds} s forged in clips of {self.seconds} s: give 0.4 to {max(most, 0.4):.1f}, or "
                "longer clips (1.6 s at least)"
            )
