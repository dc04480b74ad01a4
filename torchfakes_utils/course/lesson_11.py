"""The exercises of lesson 11: a face's outline from five landmarks, a mask that fades inside of it, the blend."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

from torchfakes_utils.course.practice import Exercise

# The five landmarks of an upright face whose eyes are one unit apart, from the middle between them; y down.
FIVE = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, 0.58], [-0.41, 1.13], [0.41, 1.13]])
# A rough outline in the same units, to try things on: forehead, cheek, jaw, chin, and round again.
ROUGH = np.array([[0.0, -1.1], [0.97, -0.4], [1.01, 0.65], [0.6, 1.55], [0.0, 1.89], [-0.6, 1.55], [-1.01, 0.65],
                  [-0.97, -0.4]])  # fmt: skip


# --- the outline


def lay_outline(outline: Any, five: Any, landmarks: Any) -> np.ndarray:
    """The template's outline laid over a face by the affine map that fits five landmarks best (least squares).

    Args:
        outline: (K, 2), in the template's units.
        five: (5, 2), the template's landmarks.
        landmarks: (5, 2), those of the face, in pixels.

    Returns:
        (K, 2), in pixels.
    """
    outline, five, landmarks = (np.asarray(points, float) for points in (outline, five, landmarks))
    matrix = np.linalg.lstsq(_with_ones(five), landmarks, rcond=None)[0]  # (3, 2)
    return np.asarray(_with_ones(outline) @ matrix)


def _with_ones(points: np.ndarray) -> np.ndarray:
    """(K, 2) to (K, 3): the third number lets a matrix move a point."""
    return np.column_stack([points, np.ones(len(points))])


def _without_moving(outline: np.ndarray, five: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    return np.asarray(outline @ np.linalg.lstsq(five, landmarks, rcond=None)[0])


def _other_way(outline: np.ndarray, five: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    return lay_outline(outline, landmarks, five)


def _by_the_eyes(outline: np.ndarray, five: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    zoom = np.linalg.norm(landmarks[1] - landmarks[0]) / np.linalg.norm(five[1] - five[0])
    return np.asarray(zoom * (outline - five[:2].mean(0)) + landmarks[:2].mean(0))


def _turned_round(outline: np.ndarray, five: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    return lay_outline(outline, five, landmarks)[:, ::-1]


def _of_three(outline: np.ndarray, five: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    return lay_outline(outline, five[:3], landmarks[:3])


def _faces(generator: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    for _ in range(3):
        angle, zoom = generator.uniform(0.15, 0.5), generator.uniform(30, 60)
        turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        landmarks = FIVE @ (turn @ np.diag([generator.uniform(0.6, 0.85), 1])).T
        landmarks += generator.uniform(60, 90, 2) + generator.normal(0, 1.5, (5, 2))
        yield ROUGH + generator.normal(0, 0.02, ROUGH.shape), FIVE.copy(), landmarks


OUTLINE = Exercise(
    "lay_outline",
    "An outline from five points",
    minutes=10,
    difficulty=3,
    reference=lay_outline,
    cases=_faces,
    wrong={
        "Your map cannot move: give each point a third number, 1, before you fit.": _without_moving,
        "You fit the wrong way round: from the template's five points to the face's.": _other_way,
        "Two eyes give size and place, but no turn and no narrow face. Fit all five points.": _by_the_eyes,
        "All is right, but x and y have changed places.": _turned_round,
        "That is the fit of three points. Take all five: the mouth says how long a face is.": _of_three,
    },
    afterwards="One product of matrices lays the outline, so that a batch of faces costs next to nothing.",
)


# --- the mask


def blur(mask: Any, sigma: float) -> np.ndarray:
    """A Gaussian blur of a mask (H, W), `sigma` in pixels, of which the kernel ends at three."""
    reach = 2 * int(np.ceil(3 * sigma)) + 1
    return np.asarray(cv2.GaussianBlur(np.asarray(mask, np.float64), (reach, reach), sigma))


def soften(mask: Any, first: float, second: float) -> np.ndarray:
    """A mask (H, W) of 0 and 1 that fades inside of its outline: blurred, eroded by what is below 1, blurred again."""
    once = blur(mask, first)
    return blur(np.where(once < 1 - 1e-6, 0.0, once), second)


def _not_eroded(mask: np.ndarray, first: float, second: float) -> np.ndarray:
    return blur(blur(mask, first), second)


def _grown(mask: np.ndarray, first: float, second: float) -> np.ndarray:
    once = blur(mask, first)
    return blur(np.where(once > 1e-6, 1.0, once), second)


def _not_blurred_again(mask: np.ndarray, first: float, second: float) -> np.ndarray:
    del second
    once = blur(mask, first)
    return np.where(once < 1 - 1e-6, 0.0, once)


def _eroded_last(mask: np.ndarray, first: float, second: float) -> np.ndarray:
    twice = blur(blur(mask, first), second)
    return np.where(twice < 1 - 1e-6, 0.0, twice)


def _cut_at_half(mask: np.ndarray, first: float, second: float) -> np.ndarray:
    return blur((blur(mask, first) >= 0.5).astype(float), second)


def _masks(generator: np.random.Generator) -> Iterator[tuple[np.ndarray, float, float]]:
    for _ in range(3):
        mask = np.zeros((64, 64), np.uint8)
        centre = tuple(int(value) for value in generator.integers(28, 36, 2))
        axes = tuple(int(value) for value in generator.integers(20, 25, 2))
        cv2.ellipse(mask, centre, axes, float(generator.uniform(0, 180)), 0, 360, 1, -1)
        yield mask.astype(float), float(generator.uniform(1, 2)), float(generator.uniform(1.5, 3))


SOFTEN = Exercise(
    "soften",
    "A mask that fades inside",
    minutes=5,
    difficulty=1,
    reference=soften,
    cases=_masks,
    wrong={
        "You blur twice and take nothing away in between: the mask then fades out beyond the face.": _not_eroded,
        "You let the mask grow. What the first blur has taken below 1 becomes 0, not 1.": _grown,
        "All is right up to the last step: blur once more, by `second`.": _not_blurred_again,
        "You take away at the very end, and the edge is hard again. It comes between the two blurs.": _eroded_last,
        "You cut at one half, where the outline is. Take away everything below 1.": _cut_at_half,
    },
    afterwards="The edge has moved in by three standard deviations of the first blur: that is an erosion.",
)


# --- the blend


def blend(source: Any, target: Any, mask: Any, ratio: float) -> np.ndarray:
    """Ratio · mask · source + (1 - ratio · mask) · target, rounded.

    Args:
        source, target: (H, W, 3) uint8.
        mask: (H, W) in 0…1.
        ratio: how strongly the source covers, 0 to 1.

    Returns:
        (H, W, 3) uint8.
    """
    covered = ratio * np.asarray(mask, float)[..., None]
    mixed = covered * np.asarray(source, float) + (1 - covered) * np.asarray(target, float)
    return np.asarray(np.rint(mixed), np.uint8)


def _exchanged(source: np.ndarray, target: np.ndarray, mask: np.ndarray, ratio: float) -> np.ndarray:
    return blend(target, source, mask, ratio)


def _ratio_of_all(source: np.ndarray, target: np.ndarray, mask: np.ndarray, ratio: float) -> np.ndarray:
    return np.asarray(np.rint(ratio * blend(source, target, mask, 1.0)), np.uint8)


def _not_taken_away(source: np.ndarray, target: np.ndarray, mask: np.ndarray, ratio: float) -> np.ndarray:
    mixed = ratio * mask[..., None] * source + (1 - mask[..., None]) * target
    return np.asarray(np.rint(mixed), np.uint8)


def _cut_off(source: np.ndarray, target: np.ndarray, mask: np.ndarray, ratio: float) -> np.ndarray:
    covered = ratio * mask[..., None]
    return np.asarray(covered * source + (1 - covered) * target).astype(np.uint8)


def _whole(source: np.ndarray, target: np.ndarray, mask: np.ndarray, ratio: float) -> np.ndarray:
    del ratio
    return blend(source, target, mask, 1.0)


def _wrapped(source: np.ndarray, target: np.ndarray, mask: np.ndarray, ratio: float) -> np.ndarray:
    return np.asarray(np.rint(target + ratio * mask[..., None] * (source - target)).clip(0, 255), np.uint8)


def _blends(generator: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
    for ratio in (0.25, 0.5, 0.75):
        source, target = (generator.integers(0, 256, (12, 15, 3), dtype=np.uint8) for _ in range(2))
        mask = generator.random((12, 15))
        mask[:3], mask[-3:] = 0, 0.9371  # no halves, which may be rounded either way
        yield source, target, mask, ratio


BLEND = Exercise(
    "blend",
    "The blend",
    minutes=6,
    difficulty=2,
    reference=blend,
    cases=_blends,
    wrong={
        "Source and target have changed places: where the mask is 0, the target stays.": _exchanged,
        "The ratio makes the whole picture darker. It belongs to the mask.": _ratio_of_all,
        "The target's share is 1 less what the source has: 1 − ratio · mask, not 1 − mask.": _not_taken_away,
        "You cut the decimals off, and every pixel becomes a little darker. Round: np.rint.": _cut_off,
        "The ratio is missing: the source may cover the target by a quarter, a half, or whole.": _whole,
        "uint8 has no negative numbers: source − target wraps round. Turn both into float first.": _wrapped,
    },
    afterwards="Where the mask is 0 your fake is the target, to the last bit.",
)
