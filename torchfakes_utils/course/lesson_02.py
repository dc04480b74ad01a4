"""What lesson 02 looks at: MTCNN stage by stage, and figures of its pyramid, its maps and its boxes.

facenet-pytorch's `detect` gives only the end of the cascade. Here its three networks are asked one after the other, in
the same order and with the same rules, so that a lesson can show what each of them lets through.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from facenet_pytorch import MTCNN
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch.nn.functional import interpolate
from torchvision.ops import nms

from torchfakes_utils.course import plots
from torchfakes_utils.datasets.mini.build import MINI_FILE
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.detection import Detections, FaceDetector, square_crop
from torchfakes_utils.faces.tracking import follow
from torchfakes_utils.io.video import length, read_frames, spread

FACTOR = 0.709  # about 1/√2: each level of the pyramid has half the pixels of the one before
WINDOW, STRIDE = 12, 2  # px: what P-Net sees at once, and how far one of its answers lies from the next
THRESHOLDS = (0.6, 0.7, 0.7)  # facenet-pytorch's for P-, R- and O-Net


@dataclass(frozen=True)
class Look:
    """What P-Net answers on one level of the pyramid: one number for each place of its window."""

    scale: float
    probability: np.ndarray  # (h, w) float32
    shift: np.ndarray  # (h, w, 4) float32: how far the face's edges lie from the window's, in window sizes


@dataclass(frozen=True)
class Stage:
    """Boxes that are left at some point of the cascade."""

    name: str
    boxes: np.ndarray  # (K, 4) float32, pixels of the photograph
    scores: np.ndarray  # (K,) float32


def scales(shorter: int, min_face: int) -> list[float]:
    """By how much a photograph with this shorter side is scaled for each level, so that a face becomes 12 px."""
    scale, found = WINDOW / min_face, []
    while shorter * scale >= WINDOW:
        found.append(scale)
        scale *= FACTOR
    return found


def level(image: np.ndarray, scale: float) -> torch.Tensor:
    """One level of the pyramid, (1, 3, h, w) float32 of 0 … 255."""
    pixels = torch.tensor(image).permute(2, 0, 1)[None].float()
    height, width = image.shape[:2]
    return interpolate(pixels, size=(int(height * scale + 1), int(width * scale + 1)), mode="area")


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """From 0 … 255 to about -1 … 1, as all three networks were trained."""
    return (pixels - 127.5) / 128


@torch.no_grad()
def look_everywhere(pnet: torch.nn.Module, image: np.ndarray, min_face: int = 20) -> list[Look]:
    """P-Net's answers on every level of the pyramid of a photograph (H, W, 3) uint8."""
    looks = []
    for scale in scales(min(image.shape[:2]), min_face):
        shift, probability = pnet(normalise(level(image, scale)))
        looks.append(Look(scale, probability[0, 1].numpy(), shift[0].permute(1, 2, 0).numpy()))
    return looks


def windows(look: Look, threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The windows of a level that P-Net takes for faces: boxes (K, 4) in the photograph, scores (K,), shifts (K, 4)."""
    rows, columns = np.nonzero(look.probability >= threshold)
    corner = np.stack([columns, rows], axis=1) * STRIDE + 1
    boxes = np.floor(np.concatenate([corner, corner + WINDOW - 1], axis=1) / look.scale)
    return boxes.astype(np.float32), look.probability[rows, columns], look.shift[rows, columns]


def moved(boxes: np.ndarray, shifts: np.ndarray, extra: int = 1) -> np.ndarray:
    """Boxes with their edges moved by what a network says, in units of the box (bounding box regression)."""
    sides = boxes[:, 2:] - boxes[:, :2] + extra
    return (boxes + shifts * np.tile(sides, 2)).astype(np.float32)


def squared(boxes: np.ndarray) -> np.ndarray:
    """Boxes made square round their centres: R- and O-Net see squares."""
    sides = boxes[:, 2:] - boxes[:, :2]
    corner = boxes[:, :2] + sides / 2 - sides.max(axis=1, keepdims=True) / 2
    return np.concatenate([corner, corner + sides.max(axis=1, keepdims=True)], axis=1).astype(np.float32)


def patches(image: np.ndarray, boxes: np.ndarray, size: int) -> torch.Tensor:
    """What lies under the boxes, brought to one size, (K, 3, size, size) of 0 … 255; cut at the photograph's edge."""
    height, width = image.shape[:2]
    cut = []
    for box in np.trunc(boxes).astype(int):
        (x1, y1), (x2, y2) = np.maximum(box[:2], 1), np.minimum(box[2:], (width, height))
        patch = torch.tensor(image[max(y1 - 1, 0) : max(y2, 1), max(x1 - 1, 0) : max(x2, 1)])
        cut.append(interpolate(patch.permute(2, 0, 1)[None].float(), size=(size, size), mode="area"))
    return torch.cat(cut) if cut else torch.zeros(0, 3, size, size)


@torch.no_grad()
def cascade(
    mtcnn: torch.nn.Module, image: np.ndarray, looks: Sequence[Look], thresholds: Sequence[float] = THRESHOLDS
) -> list[Stage]:
    """Run a photograph through the stages; what is left after each.

    Args:
        mtcnn: facenet-pytorch's MTCNN, of which the three networks are used.
        image: (H, W, 3) uint8, RGB.
        looks: P-Net's answers, which do not depend on a threshold: see `look_everywhere`.
        thresholds: of P-, R- and O-Net.
    """
    raw = [windows(look, thresholds[0]) for look in looks]
    stages = [Stage("P-Net", np.concatenate([found[0] for found in raw]), np.concatenate([found[1] for found in raw]))]
    kept = [tuple(part[_nms(*found[:2], 0.5)] for part in found) for found in raw]  # within each level,
    boxes, scores, shifts = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    keep = _nms(boxes, scores, 0.7)  # then between levels
    boxes, scores = squared(moved(boxes[keep], shifts[keep], extra=0)), scores[keep]
    stages.append(Stage("after NMS", boxes, scores))
    for name, network, size, threshold in (
        ("R-Net", mtcnn.rnet, 24, thresholds[1]),
        ("O-Net", mtcnn.onet, 48, thresholds[2]),
    ):
        if len(boxes):
            shift, *_, probability = network(normalise(patches(image, boxes, size)))
            passed = (probability[:, 1] > threshold).numpy()
            boxes, scores, shift = boxes[passed], probability[:, 1].numpy()[passed], shift.numpy()[passed]
            if name == "R-Net":
                keep = _nms(boxes, scores, 0.7)
                boxes, scores = squared(moved(boxes[keep], shift[keep])), scores[keep]
            else:
                boxes = moved(boxes, shift)
                keep = _nms(boxes, scores, 0.7, of_smaller=True)
                boxes, scores = boxes[keep], scores[keep]
        stages.append(Stage(name, boxes, scores))
    return stages


def example(root: Path | str, clips: pd.DataFrame, trait: str) -> str:
    """The id of the person whose clip has a trait of Mini-FF++ ("second_face" or "leaves"); elsewhere, of the first."""
    record = Path(root) / MINI_FILE
    people = json.loads(record.read_text())["people"] if record.is_file() else []
    return next((person["id"] for person in people if person[trait]), clips["target_id"].iloc[0])


def one_set(root: Path | str, clips: pd.DataFrame, frames: int, lines: int = 720) -> list[np.ndarray]:
    """Some frames of a real clip and of all its fakes, brought to so many lines: (frames, lines, ·, 3) uint8 each."""
    compression = clips["compression"].min()
    some = clips[clips["compression"] == compression]
    original = some.loc[some["label"] == 1, "original_id"].value_counts().sort_index(kind="stable").idxmax()
    real = some[(some["label"] == 0) & (some["clip_id"] == original)]
    paths = [*real["path"], *some.loc[some["original_id"] == original, "path"]]
    shortest = min(length(Path(root) / path)[0] for path in paths)
    films = [read_frames(Path(root) / path, spread(frames, shortest))[1] for path in paths]
    return [np.stack([_to_lines(frame, lines) for frame in film]) for film in films]


def _to_lines(frame: np.ndarray, lines: int) -> np.ndarray:
    width = round(frame.shape[1] * lines / frame.shape[0])
    return cv2.resize(frame, (width, lines), interpolation=cv2.INTER_CUBIC)


def speed_ups(films: Sequence[np.ndarray]) -> pd.DataFrame:
    """Ways to find the face in every frame of a film and of its fakes, each with one idea more than the one before.

    Args:
        films: the real one first, then its fakes; (N, H, W, 3) uint8 each, of the same frames.

    Returns:
        A row a way: `seconds`, `overlap` (median intersection over union of its squares with the first way's) and
        `lost` (faces that the first way finds and this one does not).
    """
    lines = films[0].shape[1]
    full = ExtractionConfig(face_pixels=round(0.15 * lines), batch=1)
    loop = MTCNN(keep_all=True)
    plain, small, batched = (
        FaceDetector("cpu", full),
        FaceDetector("cpu", ExtractionConfig(batch=1)),
        FaceDetector("cpu"),
    )
    ways = {
        "the usual loop": lambda: [[_biggest(loop.detect(frame)[0]) for frame in film] for film in films],
        "+ no small faces": lambda: [_followed(plain.detect(film)) for film in films],
        "+ 240 lines": lambda: [_followed(small.detect(film)) for film in films],
        "+ 16 frames at once": lambda: [_followed(batched.detect(film)) for film in films],
        "+ one detection for all": lambda: [_followed(batched.detect(films[0]))] * len(films),
    }
    rows, reference = [], None
    for name, way in ways.items():
        start = time.perf_counter()
        found = [box for film in way() for box in film]
        taken = time.perf_counter() - start
        reference = found if reference is None else reference
        pairs = [(a, b) for a, b in zip(reference, found, strict=True) if a is not None]
        overlaps = [_overlap(_square(a), _square(b)) for a, b in pairs if b is not None]
        rows.append((name, taken, float(np.median(overlaps)), sum(b is None for _, b in pairs)))
    return pd.DataFrame(rows, columns=["way", "seconds", "overlap", "lost"]).set_index("way")


def _biggest(boxes: np.ndarray | None) -> np.ndarray | None:
    return None if boxes is None else max(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1])).astype(float)


def _followed(found: Sequence[Detections]) -> list[np.ndarray | None]:
    return [None if at is None else found[n].boxes[at] for n, at in enumerate(follow(found))]


def _square(box: np.ndarray) -> tuple[float, float, float, float]:
    return square_crop(np.zeros((2, 2, 3), np.uint8), box, size=2)[1]


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    sides = [max(0.0, min(a[k + 2], b[k + 2]) - max(a[k], b[k])) for k in (0, 1)]
    area = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return sides[0] * sides[1] / (sum(area) - sides[0] * sides[1])


def speed_figure(ladder: pd.DataFrame, title: str) -> Figure:
    """Times of `speed_ups` as bars, the slowest on top, each with how many times as fast as the first it is."""
    figure, ax = plt.subplots(figsize=(7.2, 0.42 * len(ladder) + 0.9))
    seconds = ladder["seconds"].to_numpy()
    ax.barh(range(len(ladder)), seconds, color=plots.NEUTRAL, height=0.7)
    for row, taken in enumerate(seconds):
        ax.annotate(
            f" {taken:.2f} s" + (f": {seconds[0] / taken:.1f} times as fast" if row else ""),
            (taken, row),
            va="center",
            fontsize=9,
        )
    ax.set(yticks=range(len(ladder)), yticklabels=ladder.index, ylim=(len(ladder) - 0.4, -0.6))
    ax.set(xlim=(0, seconds.max() * 1.2), xlabel="seconds for one film and its fakes")
    ax.set_title(title)
    return plots.finish(figure)


def pyramid_figure(image: np.ndarray, min_face: int) -> Figure:
    """The levels of the pyramid at their true sizes, each with the one window that P-Net sees at once."""
    sizes = scales(min(image.shape[:2]), min_face)
    levels = [level(image, scale)[0].permute(1, 2, 0).numpy().astype(np.uint8) for scale in sizes]
    gap = 14
    width = sum(picture.shape[1] for picture in levels) + gap * (len(levels) - 1)
    figure, ax = plt.subplots(figsize=(7.2, 7.2 * (levels[0].shape[0] + 45) / width))
    left = 0
    for number, (picture, scale) in enumerate(zip(levels, sizes, strict=True)):
        high, wide = picture.shape[:2]
        ax.imshow(picture, extent=(left, left + wide, high, 0))
        if number < 6:
            ax.text(left, high + 6, f"{WINDOW / scale:.0f} px", fontsize=8, va="top")
        _box(ax, (left + wide / 2 - 6, high / 2 - 6, left + wide / 2 + 6, high / 2 + 6), "white", 1.2)
        left += wide + gap
    ax.set(xlim=(0, width), ylim=(levels[0].shape[0] + 22, 0), aspect="equal")
    ax.axis("off")
    ax.set_title("One window of 12 px, many levels: below, the size of face that fills it")
    return plots.finish(figure)


def maps_figure(image: np.ndarray, looks: Sequence[Look]) -> Figure:
    """Levels of the pyramid, enlarged to one size, above P-Net's maps: white is "a face fills the window here"."""
    figure, axes = plt.subplots(2, len(looks), figsize=(1.65 * len(looks), 3.75), squeeze=False)
    for (above, below), look in zip(axes.T, looks, strict=True):
        above.imshow(dimmed(level(image, look.scale)[0].permute(1, 2, 0).numpy().astype(np.uint8), 1.0))
        below.imshow(look.probability, vmin=0, vmax=1)
        above.set_title(f"faces of {WINDOW / look.scale:.0f} px", fontsize=9, fontweight="normal")
        below.set_title(f"surest: {look.probability.max():.3f}", fontsize=9, fontweight="normal")
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    _say(figure, "P-Net answers with an image: where a face of this size is")
    return plots.finish(figure)


def melting_figure(image: np.ndarray, stages: Sequence[Stage], title: str = "") -> Figure:
    """The photograph, dimmed, with what is left after each stage; thick is what the whole cascade ends with."""
    figure, axes = plt.subplots(1, len(stages), figsize=(1.95 * len(stages), 2.45))
    for ax, stage in zip(axes, stages, strict=True):
        _photo(ax, image, f"{stage.name}: {len(stage.boxes)}", dim=0.45)
        last = stage is stages[-1]
        for box, score in zip(stage.boxes, stage.scores, strict=True):
            _box(ax, box, "white", 2.6 if last else 0.8, 1.0 if last else 0.25 + 0.6 * float(score))
    _say(figure, title or "Boxes melt from hundreds to one")
    return plots.finish(figure)


def boxes_figure(image: np.ndarray, groups: dict[str, np.ndarray], title: str) -> Figure:
    """The photograph, dimmed, once for each group of boxes (K, 4)."""
    figure, axes = plt.subplots(1, len(groups), figsize=(2.9 * len(groups), 3.4), squeeze=False)
    for ax, (name, boxes) in zip(axes[0], groups.items(), strict=True):
        _photo(ax, image, name, dim=0.6, edge=280)
        for box in boxes:
            _box(ax, box, "white", 1.2)
    _say(figure, title)
    return plots.finish(figure)


def dimmed(image: np.ndarray, share: float) -> np.ndarray:
    """A photograph, darker and grey, so that boxes stand out; in few tones, which makes it a small file."""
    grey = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) * share).astype(np.uint8) // 10 * 10
    return np.repeat(grey[..., None], 3, axis=2)


def frames_figure(
    frames: np.ndarray, found: Sequence[Detections], chosen: Sequence[int], title: str, landmarks: bool = False
) -> Figure:
    """Some frames of a clip with the faces found in them.

    Args:
        frames: (N, H, W, 3) uint8.
        found: the faces of each frame.
        chosen: which frames; numbers past the end are left out.
        title: the figure's one message.
        landmarks: draw these too.
    """
    chosen = [number for number in chosen if number < len(frames)]
    figure, axes = plt.subplots(1, len(chosen), figsize=(2.0 * len(chosen), 2.5), squeeze=False)
    for number, ax in zip(chosen, axes[0], strict=True):
        _photo(ax, frames[number], f"frame {number}: {len(found[number])} found")
        for box, points in zip(found[number].boxes, found[number].landmarks, strict=True):
            _box(ax, box, "black", 3.6)
            _box(ax, box, "white", 1.8)
            if landmarks:
                ax.plot(*points.T, "o", color="white", markeredgecolor="black", markersize=4)
    _say(figure, title)
    return plots.finish(figure)


def choices_figure(choices: dict[str, Sequence[float | None]], title: str) -> Figure:
    """Where the chosen face is in each frame, one strip for each rule of choosing; gaps where none is chosen."""
    figure, axes = plt.subplots(len(choices), 1, figsize=(7.2, 1.05 * len(choices) + 0.6), sharex=True, sharey=True)
    for ax, (name, places) in zip(axes, choices.items(), strict=True):
        values = np.array([np.nan if place is None else place for place in places], float)
        ax.plot(values, color=plots.NEUTRAL, linewidth=1, zorder=0)
        ax.plot(values, "o", color="black", markersize=4)
        ax.set_title(name, fontsize=10, fontweight="normal")
        ax.set_ylabel("x of face, px", fontsize=8)
        for frame in np.flatnonzero(np.isnan(values)):
            ax.axvspan(frame - 0.5, frame + 0.5, color="#DDDDDD", linewidth=0)
    axes[-1].set_xlabel("frame (grey: no face chosen)")
    _say(figure, title)
    return plots.finish(figure)


def _nms(boxes: np.ndarray, scores: np.ndarray, limit: float, of_smaller: bool = False) -> np.ndarray:
    """Indices that non-maximum suppression keeps; `of_smaller` measures overlap as a share of the smaller box."""
    if not of_smaller:
        return nms(torch.tensor(boxes), torch.tensor(scores), limit).numpy()
    keep: list[int] = []
    area = np.prod(boxes[:, 2:] - boxes[:, :2] + 1, axis=1)
    for index in np.argsort(-scores, kind="stable"):
        low = np.maximum(boxes[keep, :2], boxes[index, :2])
        high = np.minimum(boxes[keep, 2:], boxes[index, 2:])
        shared = np.prod(np.maximum(high - low + 1, 0), axis=1)
        if not (shared / np.minimum(area[keep], area[index]) > limit).any():
            keep.append(int(index))
    return np.array(keep, int)


def _box(ax: Axes, box: Sequence[float], colour: str, width: float, alpha: float = 1.0) -> None:
    x1, y1, x2, y2 = box
    ax.add_patch(plt.Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, color=colour, linewidth=width, alpha=alpha))


def _photo(ax: Axes, image: np.ndarray, title: str, dim: float | None = None, edge: int = 200) -> None:
    """A photograph in its own coordinates, shrunk before it is drawn: to skip pixels instead would make it noisy."""
    height, width = image.shape[:2]
    shrink = min(1.0, edge / max(height, width))
    small = cv2.resize(image, (round(width * shrink), round(height * shrink)), interpolation=cv2.INTER_AREA)
    ax.imshow(small if dim is None else dimmed(small, dim), extent=(0, width, height, 0))
    ax.set(xlim=(0, width), ylim=(height, 0))
    ax.axis("off")
    ax.set_title(title, fontsize=10, fontweight="normal")


def _say(figure: Figure, message: str) -> None:
    figure.suptitle(message, x=0.01, ha="left", fontsize=11, fontweight="bold")
