"""What learners write in lesson 12: two rulers for weights, one for activations, and the size of a file."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from torchfakes_utils.course import comparison
from torchfakes_utils.course.practice import Exercise

BYTES_OF_A_SCALE = 4  # a number in 32 bits


def quantise(values: np.ndarray, bits: int, axis: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Symmetric quantisation: real numbers to whole ones, with one scale for all or one for each slice.

    Args:
        values: any shape.
        bits: 2 to 16; whole numbers from -(2^(bits-1) - 1) to 2^(bits-1) - 1.
        axis: a scale for each index along this axis (0: each output channel of a convolution); None: one for all.

    Returns:
        The whole numbers, int32, and the scale, to be multiplied with them; it broadcasts.
    """
    top = 2 ** (bits - 1) - 1
    others = None if axis is None else tuple(i for i in range(values.ndim) if i != axis)
    largest = np.abs(values).max(axis=others, keepdims=True)
    scale = np.where(largest > 0, largest, 1) / top
    return np.rint(values / scale).astype(np.int32), scale


def _of_weights(expected: Any, found: Any) -> str:
    """As `Exercise.difference`, of whole numbers and scales: a scale counts where a weight is not 0, in any shape."""
    if not isinstance(found, tuple | list) or len(found) != 2:
        return f"yours is {comparison.describe(found)}, and a pair is expected: the whole numbers, and the scale"
    whole, scale = expected
    if text := comparison.difference(whole, found[0]):
        return f"of the whole numbers, {text}"
    try:
        own = np.asarray(found[1], float).ravel()
    except (TypeError, ValueError, RuntimeError):
        return f"of the scale, yours is {comparison.describe(found[1])}, and numbers are expected"
    wanted = np.asarray(scale, float).ravel()
    if own.shape != wanted.shape:
        return f"yours has {own.size} scales, and {wanted.size} are expected"
    used = np.abs(np.asarray(whole)).reshape(len(wanted), -1).max(axis=1) > 0
    return comparison.difference(wanted[used], own[used]) and (
        f"of the scale, {comparison.difference(wanted[used], own[used])}"
    )


# --- one ruler


def symmetric(weights: np.ndarray, bits: int) -> tuple[np.ndarray, float]:
    """Whole numbers for weights of any shape, and the one scale that they are multiplied with."""
    whole, scale = quantise(np.asarray(weights), bits)
    return whole, float(scale.item())


def _largest(bits: int) -> int:
    """The largest whole number of so many bits, of which the negative fits, too."""
    return int(2 ** (bits - 1) - 1)


def _wrongly(
    top: Callable[[int], float] = _largest,
    widest: Callable[[np.ndarray], Any] = lambda weights: np.abs(weights).max(),
    rounded: Callable[[np.ndarray], np.ndarray] = np.rint,
    cut: bool = False,
) -> Callable[[np.ndarray, int], tuple[np.ndarray, Any]]:
    """Symmetric quantisation with something else in one place; `cut` to what fits, which nobody asks for."""

    def quantised(weights: np.ndarray, bits: int) -> tuple[np.ndarray, Any]:
        scale = widest(weights) / top(bits)
        whole = rounded(weights / scale)
        return (np.clip(whole, -_largest(bits), _largest(bits)) if cut else whole), scale

    return quantised


def _weights(generator: np.random.Generator) -> list[tuple[np.ndarray, int]]:
    """Weights whose widest is negative in the first case and positive in the last."""
    drawn = [generator.normal(size=shape) for shape in ((7,), (4, 2, 3, 3), (5, 6))]
    drawn[0][2], drawn[2][0, 1] = -3.5 - generator.random(), 4.5 + generator.random()
    return list(zip(drawn, (8, 4, 3), strict=True))


SYMMETRIC = Exercise(
    "symmetric", "A ruler for weights", minutes=6, difficulty=1, reference=symmetric, cases=_weights,
    difference=_of_weights,
    wrong={
        "Your scale follows from the largest weight. The widest one may be negative, and does not fit.":
            _wrongly(widest=np.max),
        "Your scale follows from the largest weight. The widest one may be negative, and is cut off in yours.":
            _wrongly(widest=np.max, cut=True),
        "Your steps are widest / 2^(bits − 1), such as 128, and so is the widest weight, which does not fit. Divide by "
        "2^(bits − 1) − 1, such as 127.": _wrongly(top=lambda bits: 2 ** (bits - 1)),
        "Your steps are widest / 2^(bits − 1), such as 128, and the widest weight is cut off at 127. Divide by "
        "2^(bits − 1) − 1.": _wrongly(top=lambda bits: 2 ** (bits - 1), cut=True),
        "Your steps are for numbers from 0 on, up to 255. Signed ones of 8 bits go from −127 to 127.":
            lambda weights, bits: symmetric(weights, bits + 1),
        "You round up, so that every weight becomes larger, and over a layer these errors add up. Take the nearest.":
            _wrongly(rounded=np.ceil),
        "You round down, so that every weight becomes smaller, and over a layer these errors add up. Take the nearest.":
            _wrongly(rounded=np.floor),
        "You cut off what is behind the point, so that everything moves towards 0. Take the nearest.":
            _wrongly(rounded=np.trunc),
        "Upside down: the scale is the size of one step, so that weights / scale are the whole numbers.":
            lambda weights, bits: (symmetric(weights, bits)[0], 1 / symmetric(weights, bits)[1]),
        "These are the weights again, rounded. The whole numbers are asked for, before they are multiplied back.":
            lambda weights, bits: (math.prod(symmetric(weights, bits)), symmetric(weights, bits)[1]),
    },
    afterwards="And back again is one multiplication.",
)  # fmt: skip


# --- a ruler for each channel


def by_channel(weights: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole numbers for the weights (C, …) of a convolution, and a scale for each output channel, (C,)."""
    whole, scale = quantise(np.asarray(weights), bits, 0)
    return whole, scale.ravel()


def _unguarded(weights: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """As somebody writes it who knows of no channel that is all 0."""
    scale = np.abs(weights).max(axis=tuple(range(1, weights.ndim)), keepdims=True) / (2 ** (bits - 1) - 1)
    return np.rint(weights / scale), scale.ravel()


def _by_input(weights: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    whole, scale = quantise(weights, bits, 1)
    return whole, scale.ravel()


def _of_four_axes(weights: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """As somebody writes it who thinks of convolutions only."""
    scale = np.abs(weights).max(axis=(1, 2, 3), keepdims=True) / (2 ** (bits - 1) - 1)
    return np.rint(weights / scale), scale.ravel()


def _channels(generator: np.random.Generator) -> list[tuple[np.ndarray, int]]:
    """Channels of different width; those of the third case have one axis, and one of the last case is all 0."""
    cases = []
    for shape, bits in (((5, 3, 3, 3), 8), ((4, 6, 1, 1), 4), ((3, 4), 8), ((6, 2, 3, 3), 3)):
        wide = generator.uniform(0.1, 4, (shape[0], *[1] * (len(shape) - 1)))
        cases.append((generator.normal(size=shape) * wide, bits))
    cases[-1][0][int(generator.integers(6))] = 0
    return cases


BY_CHANNEL = Exercise(
    "by_channel", "A ruler for each channel", minutes=8, difficulty=2, reference=by_channel, cases=_channels,
    difference=_of_weights,
    wrong={
        "One scale for the whole layer. Each output channel, weights[c], is to have its own.":
            lambda weights, bits: (quantise(weights, bits)[0], quantise(weights, bits)[1].repeat(len(weights))),
        "One scale for the whole layer, and only once. Each output channel, weights[c], is to have its own.": symmetric,
        "Your scales are those of the input channels. The first axis has the output channels.": _by_input,
        "A channel of which all weights are 0 has the scale 0, and 0 / 0 is no number. Any other scale will do for it.":
            _unguarded,
        "Weights may have two axes, as those of a linear layer. Take all axes but the first, or reshape to (C, −1).":
            _of_four_axes,
    },
    afterwards="It costs one number a channel.",
)  # fmt: skip


# --- a ruler for activations


def power_lost(values: np.ndarray, low: float, high: float) -> float:
    """The share of the power of activations that an unsigned ruler of 8 bits from `low` to `high` loses.

    Args:
        values: any shape.
        low, high: low <= 0 <= high; what lies beyond is cut off.
    """
    values = np.asarray(values, float)
    scale = (high - low) / 255
    zero = np.rint(-low / scale)
    whole = np.clip(np.rint(values / scale) + zero, 0, 255)
    return float(np.square(scale * (whole - zero) - values).sum() / np.square(values).sum())


def _lost(
    zero: Callable[[float, float], float] = lambda low, scale: np.rint(-low / scale),
    cut: tuple[float, float] = (0, 255),
    rounded: Callable[[np.ndarray], np.ndarray] = np.rint,
    error: Callable[[np.ndarray, np.ndarray], float] = lambda off, own: np.square(off).sum() / np.square(own).sum(),
) -> Callable[[np.ndarray, float, float], float]:
    """`power_lost` with something else in one place."""

    def lost(values: np.ndarray, low: float, high: float) -> float:
        scale = (high - low) / 255
        start = zero(low, scale)
        whole = np.clip(rounded(values / scale) + start, *cut)
        return float(error(scale * (whole - start) - values, values))

    return lost


def _activations(generator: np.random.Generator) -> list[tuple[np.ndarray, float, float]]:
    """Skewed values, with a range that holds nearly all, one that is much too wide and one that cuts off a tenth.

    0 lies between two steps from `low`, and half of the values in the wide range are 0, as padding is.
    """
    cases = []
    for share in (0.01, 0.0, 0.1):
        values = generator.gamma(1.0, 1.5, 400) - 1.0
        low, high = np.quantile(values, [share, 1 - share])
        if not share:
            values[::2], low, high = 0, 1.5 * low, 4 * high
        steps = np.floor(-low / (high - low) * 255) + 0.4
        cases.append((values, round(float(-high * steps / (255 - steps)), 3), round(float(high), 3)))
    return cases


def _from_low(values: np.ndarray, low: float, high: float) -> float:
    """What is lost on a ruler whose steps begin at `low`."""
    scale = (high - low) / 255
    back = low + scale * np.clip(np.rint((values - low) / scale), 0, 255)
    return float(np.square(back - values).sum() / np.square(values).sum())


def _in_bytes(values: np.ndarray, low: float, high: float) -> float:
    """What is lost where q − z is a byte again."""
    scale = (high - low) / 255
    zero = round(-low / scale)
    whole = np.clip(np.rint(values / scale) + zero, 0, 255).astype(np.uint8)
    return float(np.square(scale * (whole - np.uint8(zero)) - values).sum() / np.square(values).sum())


POWER_LOST = Exercise(
    "power_lost", "What a range costs", minutes=10, difficulty=3, reference=power_lost, cases=_activations,
    wrong={
        "The zero point is forgotten: without + z, what lies below 0 is cut off.": _lost(zero=lambda low, scale: 0.0),
        "Nothing is cut off in yours. A byte ends at 0 and at 255: np.clip.": _lost(cut=(-np.inf, np.inf)),
        "These numbers are unsigned: 0 to 255, not −128 to 127.": _lost(cut=(-128, 127)),
        "You clip at 128. An unsigned byte goes up to 255.": _lost(cut=(0, 128)),
        "You round up, so that every value becomes larger. Take the nearest.": _lost(rounded=np.ceil),
        "You round down, so that every value becomes smaller. Take the nearest.": _lost(rounded=np.floor),
        "No byte stands for 0 exactly in yours, of which padding is full. The zero point is a whole number: z = "
        "round(−low / s). Add it to round(x / s).": _lost(zero=lambda low, scale: -low / scale),
        "No byte stands for 0 exactly in yours, of which padding is full. The zero point is a whole number: z = "
        "round(−low / s).": _from_low,
        "q − z wraps round in bytes: 3 − 5 is 254 there. Make q a float or an int before you take z away.": _in_bytes,
        "That is the power of the error. Asked is its share of the values' own power: divide by the sum of squares.":
            _lost(error=lambda off, own: np.square(off).sum()),
        "That is the mean square of the error. Asked is its share of the values' own power: divide by that.":
            _lost(error=lambda off, own: np.square(off).mean()),
        "Power is a sum of squares; yours adds up sizes. Large errors count more.":
            _lost(error=lambda off, own: np.abs(off).sum() / np.abs(own).sum()),
    },
    afterwards="Now any range can be tried.",
)  # fmt: skip


# --- the size of a file


def file_megabytes(shapes: Sequence[Sequence[int]], bits: int) -> float:
    """Megabytes (millions of bytes) of weights (C, …) in so many bits, with a scale in 32 bits for each channel."""
    return sum(math.prod(shape) * bits / 8 + shape[0] * BYTES_OF_A_SCALE for shape in shapes) / 1e6


def _shapes(generator: np.random.Generator) -> list[tuple[list[tuple[int, ...]], int]]:
    return [([(*(int(side) for side in generator.integers(8, 40, 2)), 3, 3) for _ in range(4)] + [(1, 512)], bits)
            for bits in (8, 4)]  # fmt: skip


FILE_MEGABYTES = Exercise(
    "file_megabytes", "The size of the file", minutes=5, difficulty=1, reference=file_megabytes, cases=_shapes,
    wrong={
        "Bits are not bytes: eight of them make one.":
            lambda shapes, bits: sum(math.prod(shape) * bits + shape[0] * 32 for shape in shapes) / 1e6,
        "The weights are in bits, and the scales in bytes. Eight bits make a byte: divide those of the weights by 8.":
            lambda shapes, bits: sum(math.prod(shape) * bits + shape[0] * 4 for shape in shapes) / 1e6,
        "The weights are in bytes, and the scales in bits. 32 bits make four bytes.":
            lambda shapes, bits: sum(math.prod(shape) * bits / 8 + shape[0] * 32 for shape in shapes) / 1e6,
        "The weights are right, and the scales are missing: four bytes for each output channel.":
            lambda shapes, bits: sum(math.prod(shape) for shape in shapes) * bits / 8e6,
        "One scale a layer is not what was chosen: each output channel, shape[0] of them, has one.":
            lambda shapes, bits: sum(math.prod(shape) * bits / 8 + BYTES_OF_A_SCALE for shape in shapes) / 1e6,
        "A scale has 32 bits, however few a weight has.":
            lambda shapes, bits: sum((math.prod(shape) + shape[0]) * bits / 8 for shape in shapes) / 1e6,
        "Divided by 2^20 these are mebibytes. A megabyte is a million bytes.":
            lambda shapes, bits: file_megabytes(shapes, bits) * 1e6 / 2**20,
        "These are bytes. A megabyte is a million of them.":
            lambda shapes, bits: file_megabytes(shapes, bits) * 1e6,
    },
    afterwards="Biases and the recipe come on top of it.",
)  # fmt: skip
