"""What learners write in lesson 03: the Laplacian, sharpness at one size, what noise adds, and whom a filter takes."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pandas as pd

from torchfakes_utils.course import comparison
from torchfakes_utils.course.practice import Exercise
from torchfakes_utils.faces.quality import variance_of_laplacian

CLOSE = 0.05  # relative; what a simulation of noise comes near to
METHODS = ("youtube", "Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")

# --- the Laplacian


def laplacian(grey: Any) -> np.ndarray:
    """Sum of a pixel's four neighbours minus four times the pixel; (H, W) to (H, W), float64."""
    around = np.pad(np.asarray(grey, float), 1, mode="reflect")  # a border pixel sees its inner neighbour twice
    above, below, left, right = _neighbours(around)
    return np.asarray(above + below + left + right - 4 * around[1:-1, 1:-1])


def _neighbours(around: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Above, below, left and right of each pixel of a picture with one pixel more on each side."""
    return around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]


def _filtered(weights: list[list[int]], mode: str = "reflect", kind: type = float) -> Any:
    """What a learner gets who slides these weights over the picture, or pads or stores it differently."""

    def answer(grey: Any) -> np.ndarray:
        around = np.pad(np.asarray(grey, kind), 1, mode=mode)  # type: ignore[call-overload]
        height, width = np.shape(grey)
        parts = [
            kind(weight) * around[row : row + height, column : column + width]
            for row, line in enumerate(np.asarray(weights).tolist())
            for column, weight in enumerate(line)
        ]
        return np.asarray(sum(parts[1:], parts[0]))

    return answer


def _inside(grey: Any) -> np.ndarray:
    return np.pad(laplacian(grey)[1:-1, 1:-1], 1)


_CROSS = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]


def _wrapped(grey: Any) -> np.ndarray:
    around = np.pad(np.asarray(grey, np.uint8), 1, mode="reflect")
    above, below, left, right = _neighbours(around)
    return np.asarray(above + below + left + right - 4 * around[1:-1, 1:-1])


def _pictures(generator: np.random.Generator) -> Iterator[tuple[np.ndarray]]:
    for height, width in ((3, 3), (4, 7), (9, 6)):
        yield (generator.integers(0, 256, (height, width), dtype=np.uint8),)


LAPLACIAN = Exercise(
    "laplacian",
    "Sharpness by hand",
    minutes=5,
    difficulty=1,
    reference=laplacian,
    cases=_pictures,
    wrong={
        "You add the middle pixel; take it away, four times.": _filtered([[0, 1, 0], [1, 4, 1], [0, 1, 0]]),
        "You take the middle away once. There are four neighbours, so it goes four times.": _filtered(
            [[0, 1, 0], [1, -1, 1], [0, 1, 0]]
        ),
        "Your signs are the other way round: neighbours count +1 each, the middle −4.": _filtered(
            [[0, -1, 0], [-1, 4, -1], [0, -1, 0]]
        ),
        "That is the second difference along the row alone; add the one along the column.": _filtered(
            [[0, 0, 0], [1, -2, 1], [0, 0, 0]]
        ),
        "That is the second difference along the column alone; add the one along the row.": _filtered(
            [[0, 1, 0], [0, -2, 0], [0, 1, 0]]
        ),
        "You count the diagonal neighbours too. Here there are four neighbours, not eight.": _filtered(
            [[1, 1, 1], [1, -8, 1], [1, 1, 1]]
        ),
        "Those are the four diagonal neighbours. Take the ones above, below, left and right.": _filtered(
            [[1, 0, 1], [0, -4, 0], [1, 0, 1]]
        ),
        "All is right but the border, which stays 0. Pad first, then the border has neighbours, too.": _inside,
        "You take the mean of the neighbours. The Laplacian takes their sum.": lambda grey: laplacian(grey) / 4,
        "uint8 has no negative numbers: −190 became 66. Turn the picture into float first.": _wrapped,
        "All is right but the border, which sees zeros. Pad with mode='reflect'.": _filtered(_CROSS, "constant"),
        "All is right but the border, which sees itself. Pad with mode='reflect', not 'edge'.": _filtered(
            _CROSS, "edge"
        ),
        "You lose the border: (H, W) goes in and (H, W) comes out. Pad the picture by one pixel.": lambda grey: (
            laplacian(grey)[1:-1, 1:-1]
        ),
    },
    afterwards="Four slices and a subtraction: that is the whole filter.",
)


# --- sharpness at one size


def sharpness(grey: np.ndarray, size: int) -> float:
    """Variance of the Laplacian of a grey crop (H, W) uint8 that was first brought to `size` x `size` pixels."""
    return variance_of_laplacian(grey, size)


def _resized(grey: np.ndarray, size: int, shrinking: int = cv2.INTER_AREA) -> np.ndarray:
    return cv2.resize(grey, (size, size), interpolation=shrinking if len(grey) > size else cv2.INTER_LINEAR)


def _answers(grey: np.ndarray) -> np.ndarray:
    return cv2.Laplacian(grey, cv2.CV_64F)


def _crops(generator: np.random.Generator) -> Iterator[tuple[np.ndarray, int]]:
    for edge, size in ((40, 64), (64, 64), (150, 64), (100, 32)):
        noise = generator.integers(0, 256, (edge, edge)).astype(np.uint8)
        yield cv2.GaussianBlur(noise, (0, 0), 1.0), size


SHARPNESS = Exercise(
    "sharpness",
    "One size for all",
    minutes=8,
    difficulty=2,
    reference=sharpness,
    cases=_crops,
    wrong={
        "You measure each crop at its own size. Bring it to `size` pixels first.": lambda grey, size: _answers(
            grey
        ).var(),
        "That is the standard deviation; the variance is its square.": lambda grey, size: _answers(
            _resized(grey, size)
        ).std(),
        "You resize the answers. Resize the picture, and take the Laplacian of that.": lambda grey, size: _resized(
            _answers(grey), size
        ).var(),
        "OpenCV gave you uint8, so each edge has lost its negative half: ask for cv2.CV_64F.": lambda grey, size: (
            cv2.Laplacian(_resized(grey, size), -1).var()
        ),
        "A crop that shrinks needs INTER_AREA; INTER_LINEAR skips pixels.": lambda grey, size: _answers(
            _resized(grey, size, cv2.INTER_LINEAR)
        ).var(),
        "A crop that grows needs INTER_LINEAR. Use INTER_AREA for those that shrink.": lambda grey, size: _answers(
            cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA)
        ).var(),
        "You have the two the other way round: INTER_AREA is for crops that shrink, INTER_LINEAR for others.": (
            lambda grey, size: _answers(
                cv2.resize(grey, (size, size), interpolation=cv2.INTER_LINEAR if len(grey) > size else cv2.INTER_AREA)
            ).var()
        ),
        "Those are the answers, one for each pixel. End with their variance, `.var()`: one number.": (
            lambda grey, size: _answers(_resized(grey, size))
        ),
        "That is the mean size of the answers. For the variance, square their distances from the mean.": (
            lambda grey, size: np.abs(_answers(_resized(grey, size))).mean()
        ),
        "That is the mean of the answers, and plus and minus cancel. Take the variance.": lambda grey, size: _answers(
            _resized(grey, size)
        ).mean(),
    },
    afterwards="The package's `variance_of_laplacian` does the same, at 160 px.",
)


# --- what noise adds


def noise_gain(kernel: np.ndarray) -> float:
    """By what factor sliding a kernel (h, w) over independent noise multiplies its variance: its squares, added."""
    return float((np.asarray(kernel, float) ** 2).sum())


def as_gain(expected: Any, found: Any) -> str:
    """`comparison.difference`, with a word to those who try it out on noise: each draw gives another answer."""
    text = comparison.difference(expected, found)
    close = text and np.size(found) == 1 and not comparison.difference(expected, found, CLOSE)
    return f"{text}; if you let noise be drawn, each draw differs: add up the squares of the weights" if close else text


def _kernels(generator: np.random.Generator) -> Iterator[tuple[np.ndarray]]:
    for edge in (2, 3, 5):
        # No weight is 0 or ±1, whose square is no larger than itself: a wrong idea would pass for a right one.
        yield (generator.integers(2, 9, (edge, edge)) * generator.choice([-1, 1], (edge, edge)),)


NOISE_GAIN = Exercise(
    "noise_gain",
    "What noise adds",
    minutes=5,
    difficulty=2,
    reference=noise_gain,
    cases=_kernels,
    wrong={
        "You add the weights, so plus and minus cancel. Square each of them first.": lambda kernel: kernel.sum(),
        "You square the sum. Pixels err independently: square each weight, then add.": lambda kernel: kernel.sum() ** 2,
        "You add the sizes of the weights. In a variance, each counts with its square.": lambda kernel: np.abs(
            kernel
        ).sum(),
        "That is the factor for the standard deviation. For the variance, leave out the root.": lambda kernel: np.sqrt(
            (kernel**2).sum()
        ),
        "You take the mean of the squares. Each pixel adds its part: take the sum.": lambda kernel: (kernel**2).mean(),
        "You count the weights. How large they are matters, too.": lambda kernel: kernel.size,
        "That is the variance of the weights themselves. Square each weight, then add.": lambda kernel: kernel.var(),
    },
    difference=as_gain,
)


# --- whom a filter takes


def share_rejected(faces: pd.DataFrame, threshold: float) -> dict[str, float]:
    """For each method, the share of its crops whose sharpness is below the threshold, 0 to 1.

    Args:
        faces: a table with `method` and `sharpness`.
        threshold: crops that are less sharp are thrown away.
    """
    return {str(method): float((values < threshold).mean()) for method, values in _by_method(faces)}


def _by_method(faces: pd.DataFrame) -> Any:
    return faces.groupby("method")["sharpness"]


def _of_all_rejected(faces: pd.DataFrame, threshold: float) -> dict[Any, float]:
    gone = faces[faces["sharpness"] < threshold]
    return {method: float((gone["method"] == method).sum() / max(len(gone), 1)) for method, _ in _by_method(faces)}


def as_shares(expected: Any, found: Any) -> str:
    """`comparison.difference`, to which a column of pandas with the methods as its index is as good as a dict."""
    if isinstance(found, pd.DataFrame):
        return "yours is a table, and a dict or a single column with the methods as its index is expected"
    text = comparison.difference(expected, found.to_dict() if isinstance(found, pd.Series) else found)
    return f"{text}: a method of which nothing goes has the share 0" if "lacks" in text else text


def _by_place(faces: pd.DataFrame, threshold: float) -> dict[str, float]:  # noqa: ARG001 - stops before it is used
    return {str(faces["method"][place]): faces["sharpness"][place] for place in range(len(faces))}


def _over_names(faces: pd.DataFrame, threshold: float) -> list[bool]:
    return [face["sharpness"] < threshold for face in faces]


def _tables(generator: np.random.Generator) -> Iterator[tuple[pd.DataFrame, int]]:
    for threshold, counts in ((30, (7, 9, 4, 5, 6)), (4, (3, 5, 8, 2, 4)), (150, (6, 5, 11, 9, 3))):
        methods = np.repeat(METHODS, counts)
        values = generator.integers(0, 2 * threshold, len(methods))
        values[:2] = threshold, threshold - 1  # whether a crop at the threshold goes makes a difference
        values[-counts[-1] :] = threshold + 1 + np.arange(counts[-1])  # of one method, nothing goes
        table = pd.DataFrame({"method": methods, "label": (methods != "youtube").astype(int), "sharpness": values})
        table = table.sample(frac=1, random_state=generator.integers(2**31))
        # The lesson's own table is a part of a larger one, and so its index has gaps.
        table.index = pd.Index(1 + np.sort(generator.choice(3 * len(table), len(table), replace=False)))
        yield table, threshold


SHARE_REJECTED = Exercise(
    "share_rejected",
    "Whom does it take?",
    minutes=10,
    difficulty=2,
    reference=share_rejected,
    cases=_tables,
    wrong={
        "You say whose crops the rejected ones are. Ask of each method: how many of its own go?": (_of_all_rejected),
        "You divide by the size of the whole table; divide by that of the method.": lambda faces, threshold: {
            method: float((values < threshold).sum() / len(faces)) for method, values in _by_method(faces)
        },
        "A crop at the threshold stays: use < and not <=.": lambda faces, threshold: {
            method: float((values <= threshold).mean()) for method, values in _by_method(faces)
        },
        "That is the share that stays.": lambda faces, threshold: {
            method: float((values >= threshold).mean()) for method, values in _by_method(faces)
        },
        "You count crops. A share is that number over all crops of the method.": lambda faces, threshold: {
            method: int((values < threshold).sum()) for method, values in _by_method(faces)
        },
        "A share runs from 0 to 1; yours is in per cent.": lambda faces, threshold: {
            method: 100 * float((values < threshold).mean()) for method, values in _by_method(faces)
        },
        "A row was not found (KeyError). The table's index has gaps, so `faces['sharpness'][0]` may not be there: use "
        "`.iloc[i]`, or `for i, row in faces.iterrows()`; the columns are called `method` and `sharpness`.": _by_place,
        "Stopped with a TypeError. A loop over a table gives its column names, not its rows: use "
        "`for i, row in faces.iterrows()`. Without a loop: does your function take both arguments?": _over_names,
        "A method that loses nothing belongs into the table as well, with a share of 0.": lambda faces, threshold: {
            method: float((values < threshold).mean())
            for method, values in _by_method(faces)
            if (values < threshold).any()
        },
    },
    difference=as_shares,
    afterwards="`quality.rejection_table` counts the same, and adds label and split.",
)
