"""Four ways to fake a face, after the four families of FaceForensics++.

Each imitates, with plain image operations, what makes its family recognisable; none is the original program, which
needs a trained network (Deepfakes, NeuralTextures) or a fitted 3D model (Face2Face, FaceSwap). The data card says how
they differ. All take the frame that the camera filmed and give the frame with its face edited and the mask of the edit.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from torchfakes_utils.datasets.mini import detail, render
from torchfakes_utils.datasets.mini.render import CANON, Identity, Shot


@dataclass(frozen=True)
class Layer:
    """A face that is laid over the target's: `image` and `mask` in the target's canonical frame."""

    image: np.ndarray  # (CANON, CANON, 3) uint8
    mask: np.ndarray  # (CANON, CANON) float32 in [0, 1]


@dataclass(frozen=True)
class Moment:
    """One frame of the target's clip as a manipulation sees it."""

    frame: np.ndarray  # (CANON, CANON, 3) uint8, filmed, with light and grain
    index: int
    shot: Shot  # of the target
    driver: Shot  # of the source: whose expression is transferred
    fields: tuple[np.ndarray, np.ndarray]  # the target's expression fields

    def film(
        self, layer: Layer, mouth: float, brow: float, jitter: np.ndarray | float = 0, sampling: int = cv2.INTER_CUBIC
    ) -> Layer:
        """Move a layer with the target's head, with an expression of its own, in the light of the frame."""
        mapping = render.frame_map(self.shot.pose[self.index] + jitter, *self.fields, mouth, brow)
        mask = render.resample(layer.mask, mapping)
        window = detail.around(mask)  # nobody looks at the rest
        image = np.zeros_like(layer.image)
        image[window] = render.resample(layer.image, mapping[window], sampling, cv2.BORDER_REPLICATE)
        return Layer(render.light_up(image, self.shot.light[self.index]), mask)


# The edited frame (CANON, CANON, 3) uint8, and the mask of the edit (CANON, CANON) float32.
Edited = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Forgery:
    """How one clip is forged, in two steps, between which the drawn face is given its detail."""

    draw: Callable[[Moment], Layer]  # the new face as it lies in this frame, light and all, without grain
    join: Callable[[Layer, np.ndarray], Edited]  # puts it into the frame (CANON, CANON, 3)
    # What the codec takes from such detail beyond what it takes from a filmed face's, or leaves of it, made up for
    # beforehand: factors of the energies, middle and fine, set by measuring encoded clips.
    allowance: tuple[float, float] = (1.0, 1.0)


def feathered(layer: Layer, frame: np.ndarray) -> Edited:
    """A drawn face mixed into the frame by its soft mask."""
    window = detail.around(layer.mask)
    edited = frame.copy()
    edited[window] = render.blend(frame[window], layer.image[window], layer.mask[window])
    return edited, layer.mask


def cloned(layer: Layer, frame: np.ndarray) -> Edited:
    """A drawn face with a hard edge, joined by Poisson blending (Pérez et al., 2003)."""
    mask = (layer.mask > 0.5).astype(np.uint8)
    return poisson_blend(layer.image, frame, mask), mask.astype(np.float32)


def forge(forgery: Forgery, moments: list[Moment], factor: float, sensor: render.Grain) -> Iterator[Edited]:
    """Forge a clip frame by frame; where it is edited, it holds `factor` times the energy of detail it held before."""
    given = _fit(forgery, moments, factor, sensor)
    for moment in moments:
        yield _edit(forgery.draw(moment), moment, forgery, given, sensor)


def _edit(layer: Layer, moment: Moment, forgery: Forgery, given: detail.Detail, sensor: render.Grain) -> Edited:
    return forgery.join(Layer(given.give(layer.image, layer.mask, sensor), layer.mask), moment.frame)


def _fit(forgery: Forgery, moments: list[Moment], factor: float, sensor: render.Grain) -> detail.Detail:
    """The detail that a clip's faces need, found on a few frames."""
    grain = moments[0].shot.grain
    looked_at = [moments[round(place)] for place in np.linspace(0, len(moments) - 1, 5)[1:-1]]
    drawn = [(forgery.draw(moment), moment) for moment in looked_at]
    drawn = [(layer, moment) for layer, moment in drawn if (layer.mask > 0).sum() > 500]  # the head is in the picture
    if not drawn:
        return detail.Detail(grain=grain)
    own = np.mean([detail.energies(layer.image, layer.mask) for layer, _ in drawn], axis=0)
    before = np.mean([detail.energies(moment.frame, layer.mask) for layer, moment in drawn], axis=0)
    aim = wanted = before * forgery.allowance * factor
    # A joint loses detail where two faces mix, and Poisson blending changes it, so the result is what is measured.
    for _ in range(2):
        given = detail.matched(own, aim, grain)
        edited = [(_edit(layer, moment, forgery, given, sensor)[0], layer.mask) for layer, moment in drawn]
        reached = np.mean([detail.energies(*one) for one in edited], axis=0)
        aim = aim * (wanted / reached).clip(0.5, 2)
    return detail.matched(own, aim, grain)


def face_mask(landmarks: np.ndarray, part: str = "face", grow: float = 1.0) -> np.ndarray:
    """A filled face ("face": brows to chin) or its lower half ("lower": below the nose), (CANON, CANON) float32."""
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    down, reach = mouth - eyes, np.linalg.norm(landmarks[1] - landmarks[0])
    angle = np.degrees(np.arctan2(down[1], down[0])) - 90
    axes = (grow * 0.86 * reach, grow * 1.18 * np.linalg.norm(down))
    mask = np.zeros((CANON, CANON), np.float32)
    middle, radii = (np.round(pair).astype(int).tolist() for pair in (eyes + 0.62 * down, axes))
    cv2.ellipse(mask, middle, radii, angle, 0, 360, 1, -1)
    if part == "lower":
        offset = render.grid() - landmarks[2]
        mask[offset @ (down / np.linalg.norm(down)) < 0.12 * reach] = 0
    return mask


def feather(mask: np.ndarray, softness: float) -> np.ndarray:
    """Shrink a 0/1 mask and soften its edge over about `softness` px, so that it reaches 0 where it ended before."""
    size = 2 * round(softness) + 1
    return cv2.GaussianBlur(cv2.erode(mask, np.ones((size, size), np.uint8)), (0, 0), softness / 2)


def match_colour(image: np.ndarray, reference: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Give `image` the mean and spread of `reference` inside `mask`, in Lab (Reinhard et al., 2001)."""
    inside = mask > 0.5
    moved, wanted = (cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float32) for picture in (image, reference))
    scale = wanted[inside].std(axis=0) / (moved[inside].std(axis=0) + 1e-3)
    moved = (moved - moved[inside].mean(axis=0)) * scale.clip(0.6, 1.6) + wanted[inside].mean(axis=0)
    matched: np.ndarray = cv2.cvtColor(moved.clip(0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB)
    return matched


def borrow_face(source: Identity, target: Identity) -> np.ndarray:
    """The source's picture moved so that its five landmarks fit the target's best (least squares, affine)."""
    ones = np.ones((5, 1))
    matrix, *_ = np.linalg.lstsq(np.hstack([source.landmarks, ones]), target.landmarks, rcond=None)
    return cv2.warpAffine(
        source.image, matrix.T, (CANON, CANON), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def deepfakes(source: Identity, target: Identity, rng: np.random.Generator) -> Forgery:
    """A face decoded at low resolution: colour-matched, target's expression, feathered into the frame."""
    mask = face_mask(target.landmarks, grow=0.98)
    face = match_colour(borrow_face(source, target), target.image, mask)
    face = np.rint(face + rng.normal(0, 2.5, 3)).clip(0, 255).astype(np.uint8)  # no match is exact
    edge = int(rng.integers(140, 180))  # the decoder's output, enlarged: some 60 px a face, where FF++ has 64 to 128
    small = cv2.resize(face, (edge, edge), interpolation=cv2.INTER_AREA)
    # Not quite smooth: the decoder's pixels show a little, and their edges are fine detail where it has none.
    large = [cv2.resize(small, (CANON, CANON), interpolation=how) for how in (cv2.INTER_LINEAR, cv2.INTER_NEAREST)]
    layer = Layer(cv2.addWeighted(large[0], 0.75, large[1], 0.25, 0), feather(mask, 7))

    def draw(moment: Moment) -> Layer:
        return moment.film(layer, moment.shot.mouth[moment.index], moment.shot.brow[moment.index])

    return Forgery(draw, feathered, (1.1, 1.35))


def face_swap(source: Identity, target: Identity, rng: np.random.Generator) -> Forgery:
    """A face laid on by its landmarks, trembling with them, joined by Poisson blending (Pérez et al., 2003)."""
    face = borrow_face(source, target)
    # A texture drawn without filtering looks crisper than a lens would show it.
    crisp = cv2.addWeighted(face, 2.2, cv2.GaussianBlur(face, (0, 0), 1.2), -1.2, 0)
    layer = Layer(crisp, face_mask(target.landmarks, grow=0.95))

    seed = int(rng.integers(2**31))

    def draw(moment: Moment) -> Layer:
        # By frame: drawn twice, a frame trembles alike.
        jitter = np.random.default_rng([seed, moment.index]).normal(0, [0.6, 0.6, 0.4, 0.005])
        mouth, brow = 0.4 * moment.shot.mouth[moment.index], 0.4 * moment.shot.brow[moment.index]
        # Nearest neighbour: the original rasterises its texture without filtering, which leaves jagged edges.
        return moment.film(layer, mouth, brow, jitter, cv2.INTER_NEAREST)

    return Forgery(draw, cloned, (0.9, 0.85))


def face2face(source: Identity, target: Identity, rng: np.random.Generator) -> Forgery:  # noqa: ARG001 - all four are made alike
    """The target's own face, re-rendered: too smooth, lit by an estimate, with the brows and mouth of the source."""
    mask = face_mask(target.landmarks, grow=0.98)
    smooth = cv2.bilateralFilter(target.image, 13, 60, 6)
    # The original estimates the light by spherical harmonics and re-renders with it; the estimate is never exact.
    light = np.array([1.0, *rng.choice([-1, 1], 2) * rng.uniform(0.18, 0.28, 2)])
    layer = Layer(render.light_up(smooth, light), feather(mask, 2))

    def draw(moment: Moment) -> Layer:
        # 1.3: a transferred expression is exaggerated, because the two neutral faces are never quite aligned.
        mouth, brow = 1.3 * moment.driver.mouth[moment.index], 1.3 * moment.driver.brow[moment.index]
        return moment.film(layer, mouth, brow)

    return Forgery(draw, feathered, (0.88, 0.9))


def neural_textures(source: Identity, target: Identity, rng: np.random.Generator) -> Forgery:  # noqa: ARG001 - all four are made alike
    """The lower face synthesised anew, coarsely and with a trace of its grid, with the mouth of the source."""
    layer = Layer(target.image, feather(face_mask(target.landmarks, "lower"), 4))
    phase = rng.integers(4, size=2)  # of the network's grid in the frame: it decodes a window round the face

    def draw(moment: Moment) -> Layer:
        filmed = moment.film(layer, 1.2 * moment.driver.mouth[moment.index], moment.shot.brow[moment.index])
        return Layer(resynthesise(filmed.image, phase), filmed.mask)

    return Forgery(draw, feathered, (1.25, 1.3))


def poisson_blend(front: np.ndarray, behind: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Poisson blending of `front` into `behind` where `mask` (H, W) uint8 is 1; near the border, a feathered one."""
    left, top, wide, high = cv2.boundingRect(mask)
    inside = left > 2 and top > 2 and left + wide < CANON - 2 and top + high < CANON - 2
    if wide * high == 0:
        return behind
    if not inside:  # Poisson blending needs known pixels all round
        return render.blend(behind, front, feather(mask.astype(np.float32), 3))
    window = (slice(top - 2, top + high + 2), slice(left - 2, left + wide + 2))
    centre = ((wide + 4) // 2, (high + 4) // 2)
    parts = [np.ascontiguousarray(picture[window]) for picture in (front, behind, mask * 255)]
    cloned = behind.copy()
    cloned[window] = cv2.seamlessClone(parts[0], parts[1], parts[2], centre, cv2.NORMAL_CLONE)
    # OpenCV solves for the whole window and so shifts colours beside the mask, too: those pixels stay the target's.
    return render.blend(behind, cloned, feather(mask.astype(np.float32), 1))


def resynthesise(image: np.ndarray, phase: np.ndarray, coarse: int = 4, grid: float = 2.5) -> np.ndarray:
    """Decode `image` (H, W, 3) uint8 from a `coarse` times smaller one, as a decoder with strided deconvolutions does.

    Besides the lost detail these leave a checkerboard of the stride's period (Odena et al., Distill 2016), here of
    amplitude `grid` in grey levels.
    """
    height, width = image.shape[:2]
    image = np.roll(image, -phase, axis=(0, 1))
    code = cv2.resize(image, (width // coarse, height // coarse), interpolation=cv2.INTER_AREA)
    decoded = cv2.resize(code, (width, height), interpolation=cv2.INTER_CUBIC)
    rows, columns = np.indices((height, width)) % coarse < coarse // 2
    checkerboard = np.where(rows == columns, grid, -grid).astype(np.float32)
    return np.roll(cv2.add(decoded, cv2.merge([checkerboard] * 3), dtype=cv2.CV_8U), phase, axis=(0, 1))


# Each prepares the layer of a source and a target; what differs from clip to clip, the generator draws.
MANIPULATIONS: dict[str, Callable[[Identity, Identity, np.random.Generator], Forgery]] = {
    "Deepfakes": deepfakes,
    "Face2Face": face2face,
    "FaceSwap": face_swap,
    "NeuralTextures": neural_textures,
}
