"""The people of Mini-FF++ and the camera that films them.

Two public-domain portraits ship inside packages that the project needs anyway: `skimage.data.astronaut()` (Eileen
Collins, NASA) and matplotlib's `grace_hopper.jpg` (Grace Hopper, US Navy). Both are brought to one canonical frame.
An *identity* is such a portrait, bent by a smooth random field, perhaps mirrored, re-toned in Lab, before a background
of its own. A *shot* is how it is filmed: head motion, expression, light, grain and, for some, a camera out of focus.

All sizes are in pixels of a frame of edge `CANON`; other frame sizes scale everything at the end.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

CANON = 320
# Where the eyes and the mouth lie in the canonical frame: the face fills about 40 % of the height, as in FF++.
EYE_CENTRE = np.array([160.0, 130.0])
EYE_DISTANCE = 50.0

# Left eye, right eye, nose, mouth corners as MTCNN finds them in the two files: (5, 2), x and y in pixels.
PORTRAIT_LANDMARKS = {
    "astronaut": np.array([[205.0, 101.7], [246.8, 103.7], [224.7, 129.0], [201.7, 139.2], [245.3, 141.9]]),
    "hopper": np.array([[221.7, 192.2], [309.8, 186.1], [269.4, 239.2], [232.7, 279.6], [306.6, 275.9]]),
}


@dataclass(frozen=True)
class Identity:
    """A person: what the camera sees when the head is still and the face neutral."""

    image: np.ndarray  # (CANON, CANON, 3) uint8 RGB
    alpha: np.ndarray  # (CANON, CANON) float32 in [0, 1]: 1 on the person, 0 on what is behind
    background: np.ndarray  # (CANON, CANON, 3) uint8 RGB
    landmarks: np.ndarray  # (5, 2) float64, in MTCNN's order


@dataclass(frozen=True)
class Shot:
    """How an identity is filmed. Arrays have one row a frame, T rows in all."""

    pose: np.ndarray  # (T, 4): shift x and y in px, rotation in degrees, scale
    mouth: np.ndarray  # (T,) -1 … 1: how far the jaw is dropped
    brow: np.ndarray  # (T,) -1 … 1: how far the brows are raised
    light: np.ndarray  # (T, 3): gain, and its slope across and down the frame
    grain: float  # standard deviation of the sensor's noise, in grey levels
    blur_amount: np.ndarray  # (T,) 0 … 1


@cache
def canonical_portrait(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The portrait in the canonical frame: image (CANON, CANON, 3) uint8, alpha float32, landmarks (5, 2)."""
    picture, points = _load_portrait(name), PORTRAIT_LANDMARKS[name]
    left, right = points[:2]
    angle = np.degrees(np.arctan2(*(right - left)[::-1]))
    centre = (left + right) / 2
    matrix = cv2.getRotationMatrix2D(tuple(centre), angle, float(EYE_DISTANCE / np.linalg.norm(right - left)))
    matrix[:, 2] += EYE_CENTRE - centre
    image = cv2.warpAffine(picture, matrix, (CANON, CANON), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    return image, _cut_out(image), points @ matrix[:, :2].T + matrix[:, 2]


def _load_portrait(name: str) -> np.ndarray:
    if name == "astronaut":
        from skimage import data

        return np.asarray(data.astronaut())
    from matplotlib import cbook
    from PIL import Image

    with Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as picture:
        return np.asarray(picture.convert("RGB"))


def _cut_out(image: np.ndarray) -> np.ndarray:
    """Separate the person from the background with GrabCut, seeded by where head and shoulders are in the frame."""
    mask = np.full(image.shape[:2], cv2.GC_PR_BGD, np.uint8)
    cv2.ellipse(mask, (160, 130), (75, 105), 0, 0, 360, cv2.GC_PR_FGD, -1)
    cv2.fillPoly(mask, [np.array([[110, 215], [210, 215], [300, 319], [20, 319]])], cv2.GC_PR_FGD)
    cv2.ellipse(mask, (160, 140), (42, 62), 0, 0, 360, cv2.GC_FGD, -1)
    mask[:160, :66] = mask[:160, -66:] = mask[:215, :25] = mask[:215, -25:] = cv2.GC_BGD
    # GrabCut fits its colour mixtures from OpenCV's random generator: fix it, so that a seed means one data set.
    cv2.setRNGSeed(0)
    behind, front, nowhere = np.zeros((1, 65)), np.zeros((1, 65)), (0, 0, 0, 0)
    cv2.grabCut(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), mask, nowhere, behind, front, 5, cv2.GC_INIT_WITH_MASK)
    likely = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    closed = cv2.morphologyEx(likely, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed)
    person: np.ndarray = labels == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])
    return cv2.GaussianBlur(person.astype(np.float32), (0, 0), 1.5)


def make_identity(portrait: str, rng: np.random.Generator) -> Identity:
    """Make a new person from a portrait: bent by a smooth field (7 px r.m.s.), perhaps mirrored, re-toned."""
    image, alpha, landmarks = canonical_portrait(portrait)
    if rng.integers(2):
        image, alpha = image[:, ::-1].copy(), alpha[:, ::-1].copy()
        landmarks = (np.array([CANON - 1, 0]) + landmarks * [-1, 1])[[1, 0, 2, 4, 3]]
    field = cv2.GaussianBlur(rng.standard_normal((CANON, CANON, 2)).astype(np.float32), (0, 0), 28)
    field = np.asarray(field * (7.0 / field.std()))
    image = resample(image, grid() + field, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
    alpha = resample(alpha, grid() + field, border=cv2.BORDER_REPLICATE)
    return Identity(_retone(image, rng), alpha, _background(rng), _through_field(landmarks, field))


@cache
def grid() -> np.ndarray:
    """The coordinates of every pixel, x then y: (CANON, CANON, 2) float32. Not to be written to."""
    return np.stack(np.meshgrid(np.arange(CANON), np.arange(CANON)), axis=-1).astype(np.float32)


def _through_field(points: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Where points of the unbent picture lie in the bent one: solve q + field(q) = p by fixed-point iteration."""
    found = points.copy()
    for _ in range(20):
        column, row = np.clip(found.round().astype(int), 0, CANON - 1).T
        found = points - field[row, column]
    return found


def _retone(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    gain = rng.uniform([0.85, 0.8, 0.8], [1.1, 1.2, 1.2])
    shift = rng.uniform([-14, -7, -9], [10, 7, 9])
    toned = (lab - 128) * gain + 128 + shift
    return cv2.cvtColor(toned.clip(0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)


def _background(rng: np.random.Generator) -> np.ndarray:
    """A wall out of focus: a colour gradient with soft blotches."""
    paint = rng.uniform(50, 200) + rng.uniform(-35, 35, 3)
    corners = (paint + rng.uniform(-35, 35, (2, 2, 1)) + rng.uniform(-8, 8, (2, 2, 3))).astype(np.float32)
    wall = cv2.resize(corners, (CANON, CANON), interpolation=cv2.INTER_LINEAR)
    noise = rng.standard_normal((9, 9, 1)).astype(np.float32)
    blotches = cv2.resize(noise, (CANON, CANON), interpolation=cv2.INTER_CUBIC)
    return (wall + rng.uniform(4, 16) * blotches[..., None]).clip(0, 255).astype(np.uint8)


def make_shot(rng: np.random.Generator, frames: int, blurred: bool = False, leaves: bool = False) -> Shot:
    """Draw a way of filming `frames` frames; `leaves` moves the head out of the picture for a while."""
    pose = np.array([0, 0, 0, 1]) + np.stack([_wander(rng, frames, size) for size in (9, 6, 4, 0.04)], axis=1)
    pose += rng.uniform([-12, -4, -3, -0.02], [12, 14, 3, 0.14])
    if leaves:
        away = np.clip(1.6 - np.abs(np.arange(frames) - 0.55 * frames) / (0.16 * frames), 0, 1)
        pose[:, 0] += 290 * away * away * (3 - 2 * away)
    # The lens hunts for focus, the hand shakes: sharp and blurred frames in one clip, rather more sharp ones.
    wave = np.sin(rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(frames) / frames * rng.uniform(1, 1.6))
    amount = np.clip(0.25 + 0.95 * wave, 0, 1)
    return Shot(
        pose=pose,
        mouth=_wander(rng, frames, 0.8, faster=3),
        brow=_wander(rng, frames, 0.8, faster=1.5),
        light=np.array([1, 0, 0])
        + np.stack([_wander(rng, frames, size) for size in (0.08, 0.12, 0.08)], axis=1)
        + rng.uniform([-0.12, -0.15, -0.1], [0.08, 0.15, 0.1]),
        grain=float(rng.uniform(1.5, 4.5)),
        blur_amount=amount if blurred else np.zeros(frames),
    )


def _wander(rng: np.random.Generator, frames: int, size: float, faster: float = 1.0) -> np.ndarray:
    """A smooth random movement of about ±`size`: three sines of random phase, (frames,) float64."""
    seconds = np.arange(frames) / 25
    turns = [rate * faster * seconds for rate in (0.35, 0.8, 1.5)]
    waves = [np.sin(2 * np.pi * (turn + rng.uniform())) * rng.uniform(0.4, 1) for turn in turns]
    return np.asarray(size * np.sum(waves, axis=0) / 1.6)


def expression_fields(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How pixels move when the mouth opens and when the brows rise: two (CANON, CANON, 2) float32 fields, px."""
    eyes, mouth = landmarks[:2], landmarks[3:].mean(axis=0)
    reach = np.linalg.norm(landmarks[1] - landmarks[0])
    pixels = grid()

    def bump(centre: np.ndarray, wide: float, high: float) -> np.ndarray:
        return np.asarray(np.exp(-(((pixels - centre) / (np.array([wide, high]) * reach)) ** 2).sum(axis=-1) / 2))

    jaw = np.zeros_like(pixels)
    down = np.array([0, reach])
    jaw[..., 1] = 7.0 * bump(mouth + 0.22 * down, 0.34, 0.20) - 2.0 * bump(mouth - 0.12 * down, 0.28, 0.09)
    jaw[..., 0] = -0.04 * bump(mouth, 0.4, 0.22) * (pixels[..., 0] - mouth[0])
    brows = np.zeros_like(pixels)
    up = np.array([0, 0.33 * reach])
    brows[..., 1] = -4.0 * sum(bump(eye - up, 0.24, 0.13) for eye in eyes)
    return jaw.astype(np.float32), brows.astype(np.float32)


def frame_map(
    pose: np.ndarray, jaw: np.ndarray, brows: np.ndarray, mouth: float, brow: float, size: int = CANON
) -> np.ndarray:
    """Where each pixel of a frame of edge `size` comes from in the canonical picture, (size, size, 2) float32.

    Expression and head motion are one map, so that the picture is interpolated once and stays as sharp as it was.
    """
    matrix = pose_matrix(pose)
    if size != CANON:
        matrix *= size / CANON
        matrix[:, 2] += (size / CANON - 1) / 2  # pixels are squares, whose middles have whole numbers
    inverse = cv2.invertAffineTransform(matrix).astype(np.float32)
    # Only the smooth expression field is resampled; the affine part is exact, also outside the canonical picture.
    mapping: np.ndarray = cv2.warpAffine(cv2.addWeighted(jaw, -mouth, brows, -brow, 0), matrix, (size, size))
    along = np.arange(size, dtype=np.float32)
    mapping += (np.outer(along, inverse[:, 0]) + inverse[:, 2])[None]  # what a step to the right adds
    mapping += np.outer(along, inverse[:, 1])[:, None]  # what a step down adds
    return mapping


def pose_matrix(pose: np.ndarray) -> np.ndarray:
    """The (2, 3) affine matrix from the canonical picture to a frame."""
    shift_x, shift_y, angle, scale = pose
    matrix = cv2.getRotationMatrix2D((160.0, 200.0), float(angle), float(scale))
    matrix[:, 2] += (shift_x, shift_y)
    return matrix


def resample(
    picture: np.ndarray, mapping: np.ndarray, interpolation: int = cv2.INTER_LINEAR, border: int = cv2.BORDER_CONSTANT
) -> np.ndarray:
    """The picture whose pixels come from where `mapping` (H, W, 2) float32 says, x then y."""
    # OpenCV's type hints do not know that a map of pairs needs no second one.
    moved: np.ndarray = cv2.remap(picture, mapping, None, interpolation, borderMode=border)  # type: ignore[call-overload]
    return moved


def render(identity: Identity, mapping: np.ndarray, background: np.ndarray | None = None) -> np.ndarray:
    """Film one frame of `identity` before its background, without light and grain.

    Args:
        identity: who.
        mapping: (H, W, 2), from `frame_map`, or that brought to another size.
        background: (H, W, 3) uint8; the identity's own where not given, for a mapping of its size.

    Returns:
        (H, W, 3) uint8.
    """
    person = resample(identity.image, mapping, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
    alpha = resample(identity.alpha, mapping)
    # Below the picture the body goes on; beside it, it does not.
    beyond = (mapping[..., 1] > CANON - 2) & (mapping[..., 0] > 0) & (mapping[..., 0] < CANON - 1)
    alpha[beyond] = 1
    return blend(identity.background if background is None else background, person, alpha)


def blend(behind: np.ndarray, front: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """`alpha`·front + (1−alpha)·behind; pictures (H, W, 3) uint8, alpha (H, W) float32 in [0, 1]."""
    return cv2.blendLinear(front, behind, alpha, 1 - alpha)


def light_up(frame: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Multiply a square frame (H, H, 3) uint8 by a tilted plane of light."""
    ramp = np.linspace(-1, 1, len(frame), dtype=np.float32)
    plane = light[0] + light[1] * ramp[None, :] + light[2] * ramp[:, None]
    return cv2.multiply(frame, cv2.merge([plane.astype(np.float32)] * 3), dtype=cv2.CV_8U)


class Grain:
    """Sensor noise: a few sheets drawn once, cut out at random places, since drawing noise is what costs time."""

    _SPARE = 64  # pixels by which a sheet is larger than a frame

    def __init__(self, rng: np.random.Generator, sheets: np.ndarray | None = None, edge: int = CANON) -> None:
        """Draw the sheets for frames of some edge, or take those of another sensor and cut them elsewhere."""
        whole = edge + self._SPARE
        self._rng = rng
        self.sheets = rng.standard_normal((4, whole, whole, 3), dtype=np.float32) if sheets is None else sheets

    def cut(self) -> np.ndarray:
        """Noise of standard deviation 1, (H, H, 3) float32, another at every call. Not to be written to."""
        sheet = self.sheets[self._rng.integers(len(self.sheets))]
        edge = len(sheet) - self._SPARE
        row, column = self._rng.integers(self._SPARE, size=2)
        noise: np.ndarray = sheet[row : row + edge, column : column + edge]
        return noise

    def add(self, frame: np.ndarray, strength: float) -> np.ndarray:
        """Add noise of standard deviation `strength` (grey levels) to a (H, H, 3) uint8 frame."""
        return cv2.addWeighted(frame, 1.0, self.cut(), strength, 0, dtype=cv2.CV_8U)


def blur_frame(frame: np.ndarray, kind: str, amount: float) -> np.ndarray:
    """What a lens out of focus or a shaken camera makes of a frame; `amount` from 0 to 1."""
    if amount < 0.05:
        return frame
    if kind == "defocus":
        return cv2.GaussianBlur(frame, (0, 0), 3.2 * amount)
    if kind == "motion":
        length = 1 + 2 * round(11 * amount)
        return cv2.blur(cv2.GaussianBlur(frame, (0, 0), 1.6 * amount), (length, 1))
    return frame
