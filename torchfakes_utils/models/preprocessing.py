"""How a crop becomes the network's input, whether it is trained on, evaluated, explained or predicted."""

import math
from dataclasses import dataclass

import torch
from torchvision.transforms.v2 import functional

from torchfakes_utils.errors import InputError

# A detector may be a stranger's: within these bounds, memory and time of what it is asked are bounded. Crops are stored
# with up to 1,024 pixels a side, and cut up to four times as large as the face's box (`ExtractionConfig`).
MOST_PIXELS = 1024
_SCALES, _MEANS, _SPREADS = (1.0, 4.0), (-10_000.0, 10_000.0), (1e-3, 10_000.0)

# Raised whenever `Preprocessing.apply` gives other numbers for the same crop, so that a detector trained on the old
# ones is refused instead of quietly being wrong.
PREPROCESSING_VERSION = 1


@dataclass(frozen=True)
class Preprocessing:
    """How a face in a photograph becomes the network's input; stored with the weights, for they mean nothing without.

    Attributes:
        size: edge of the network's input, pixels. 160 is what InceptionResnetV1's pretrained weights were made for.
        mean, std: (x - mean) / std takes 0…255 to the range that the weights expect; one number, or one for each of
            red, green and blue. These take it to about -1…1, as facenet-pytorch normalises for its weights.
        crop_scale: edge of the square crop over the longer edge of the face box; 1.3 is the field's habit
            (Rössler et al., ICCV 2019, section 4), which keeps the chin and hairline where blending leaves its seams.
        crop_size: edge at which crops are cut before they are brought to `size`, pixels. A crop that is resized once
            (frame to 128) is not the same picture as one resized twice (frame to 160 to 128).
    """

    size: int = 160
    mean: float | tuple[float, float, float] = 127.5
    std: float | tuple[float, float, float] = 128.0
    crop_scale: float = 1.3
    crop_size: int = 160

    def __post_init__(self) -> None:
        """Refuse what no crop can be brought to; JSON knows lists only.

        Raises:
            InputError: a value out of its range, or of another type.
        """
        for name in ("size", "crop_size"):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= MOST_PIXELS:
                raise InputError(f"{name} {value!r}: give a whole number from 1 to {MOST_PIXELS}")
        _check_range("crop_scale", self.crop_scale, _SCALES)
        for name, ends in (("mean", _MEANS), ("std", _SPREADS)):
            value = getattr(self, name)
            by_channel = tuple(value) if isinstance(value, (list, tuple)) else (value,)
            if len(by_channel) not in (1, 3):
                raise InputError(f"{name}: give one number, or one for each of red, green and blue")
            for number in by_channel:
                _check_range(name, number, ends)
            if isinstance(value, list):
                object.__setattr__(self, name, by_channel)

    def apply(self, images: torch.Tensor) -> torch.Tensor:
        """Crops (..., 3, H, W) uint8 RGB, brought to the network's size and range.

        Returns:
            (..., 3, size, size) float32 on the same device; between -0.996 and 0.996 as `mean` and `std` are here.
        """
        return self.normalise(self.resize(images))

    def resize(self, images: torch.Tensor) -> torch.Tensor:
        """The first half of `apply`: (..., 3, H, W) uint8 to (..., 3, size, size) uint8."""
        if images.dtype != torch.uint8 or images.shape[-3:-2] != (3,):
            raise ValueError(f"crops are (..., 3, H, W) uint8, not {tuple(images.shape)} {images.dtype}")
        if images.shape[-2:] == (self.size, self.size):  # which torchvision takes a while to see
            return images
        # Resized while still uint8: 8 bits are what a stored picture would have kept.
        resized: torch.Tensor = functional.resize(images, [self.size, self.size], antialias=True)
        return resized

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """The second half of `apply`: (..., 3, size, size) uint8 to float32."""
        pair = (torch.tensor(value, dtype=torch.float32, device=images.device) for value in (self.mean, self.std))
        mean, std = (value.reshape(-1, 1, 1) for value in pair)
        return (images.to(torch.float32) - mean) / std


def _check_range(name: str, value: object, ends: tuple[float, float]) -> None:
    """Refuse what is no number between the ends; NaN is between none."""
    number = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    if not ends[0] <= number <= ends[1]:
        raise InputError(f"{name} {value!r}: give a number from {ends[0]:g} to {ends[1]:g}")
