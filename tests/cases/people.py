"""The people of all cases, as pictures: whoever has another number is another person."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from torchfakes_utils.datasets.mini import fakes, render

EDGE = render.CANON  # of a portrait, pixels; the face in it is some 120 px high


@cache
def _identity(number: int) -> render.Identity:
    return render.make_identity(("astronaut", "hopper")[number % 2], np.random.default_rng([16, number]))


@cache
def portrait(number: int, fake: bool = False) -> np.ndarray:
    """One person before a wall, or what a face swap makes of them: (EDGE, EDGE, 3) uint8 RGB."""
    person = _identity(number)
    picture = render.blend(person.background, person.image, person.alpha)
    picture = _swapped(picture, person, _identity(number + 1)) if fake else picture
    noise = np.random.default_rng([17, number]).normal(0, 2, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def _swapped(picture: np.ndarray, target: render.Identity, source: render.Identity) -> np.ndarray:
    """The source's face on the target's: of few pixels, in the target's colours, its edge feathered."""
    mask = fakes.face_mask(target.landmarks)
    face = fakes.match_colour(fakes.borrow_face(source, target), target.image, mask)
    face = cv2.resize(cv2.resize(face, (100, 100), interpolation=cv2.INTER_AREA), (EDGE, EDGE))
    return render.blend(picture, face, fakes.feather(mask, 7))


def face_box(number: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the face in a portrait, pixels: from the brows to the chin, with both cheeks."""
    points = _identity(number).landmarks
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    reach = float(np.linalg.norm(points[1] - points[0]))
    left, right = eyes[0] - 0.95 * reach, eyes[0] + 0.95 * reach
    return round(left), round(eyes[1] - 0.9 * reach), round(right), round(mouth[1] + 0.75 * reach)


@dataclass(frozen=True)
class Seen:
    """A person in a picture.

    Attributes:
        person: the number.
        x, y: where the middle of the portrait is, as shares of the picture's width and height.
        size: edge of the portrait over the picture's height.
        fake: with another face put in.
    """

    person: int
    x: float = 0.5
    y: float = 0.5
    size: float = 1.0
    fake: bool = False


def scene(people: tuple[Seen, ...], width: int, height: int, wall: int = 0, sway: float = 0.0) -> np.ndarray:
    """People before a wall, (height, width, 3) uint8.

    Args:
        people: those behind first.
        width, height: of the picture, pixels.
        wall: which wall.
        sway: pixels by which everybody has moved to the right.
    """
    paint = np.random.default_rng([18, wall]).uniform(60, 190, (2, 2, 3)).astype(np.float32)
    picture = cv2.resize(paint, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    for one in people:
        edge = round(one.size * height)
        how = cv2.INTER_AREA if edge < EDGE else cv2.INTER_CUBIC
        person = cv2.resize(portrait(one.person, one.fake), (edge, edge), interpolation=how)
        left, top = round(one.x * width - edge / 2 + sway), round(one.y * height - edge / 2)
        rows, columns = slice(max(top, 0), max(top + edge, 0)), slice(max(left, 0), max(left + edge, 0))
        place = picture[rows, columns]
        first, second = max(-top, 0), max(-left, 0)
        place[:] = person[first : first + place.shape[0], second : second + place.shape[1]]
    return picture
