"""Films for lesson 02b: who is followed, what a cut does to a face, what detection costs, what a crop gives away."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from facenet_pytorch import MTCNN
from facenet_pytorch.models.utils.detect_face import extract_face
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from torchfakes_utils.course import lesson_02, plots
from torchfakes_utils.course.lesson_02_cascade import core_seconds
from torchfakes_utils.course.lesson_02_figures import WIDTH, boxes, photo, say
from torchfakes_utils.datasets.mini.config import MINI_FILE
from torchfakes_utils.export.mtcnn_numpy import STRIDE, WINDOW
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.detection import Detections, FaceDetector, square_crop
from torchfakes_utils.faces.tracking import follow
from torchfakes_utils.io.video import length, read_frames, spread


def example(root: Path | str, clips: pd.DataFrame, trait: str) -> str:
    """The id of the person whose clip has a trait of Mini-FF++ ("second_face" or "leaves"); elsewhere, of the first."""
    record = Path(root) / MINI_FILE
    people = json.loads(record.read_text())["people"] if record.is_file() else []
    return str(next((person["id"] for person in people if person[trait]), clips["target_id"].iloc[0]))


def one_set(root: Path | str, clips: pd.DataFrame, frames: int, lines: int = 720) -> list[np.ndarray]:
    """Some frames of a real clip and of all its fakes, brought to so many lines: (frames, lines, ·, 3) uint8 each."""
    compression = clips["compression"].min()
    some = clips[clips["compression"] == compression]
    original = some.loc[some["label"] == 1, "original_id"].value_counts().sort_index(kind="stable").idxmax()
    real = some[(some["label"] == 0) & (some["clip_id"] == original)]
    paths = [*real["path"], *some.loc[some["original_id"] == original, "path"]]
    shortest = min(length(Path(root) / path) for path in paths)
    films = [read_frames(Path(root) / path, spread(frames, shortest))[1] for path in paths]
    return [np.stack([_to_lines(frame, lines) for frame in film]) for film in films]


def _to_lines(frame: np.ndarray, lines: int) -> np.ndarray:
    width = round(frame.shape[1] * lines / frame.shape[0])
    return cv2.resize(frame, (width, lines), interpolation=cv2.INTER_CUBIC)


# --- whom to choose


def frames_figure(
    frames: np.ndarray, found: Sequence[Detections], chosen: Sequence[int], title: str, landmarks: bool = False
) -> Figure:
    """Some frames of a clip with the faces found in them, the surest numbered 0.

    Args:
        frames: (N, H, W, 3) uint8.
        found: the faces of each frame.
        chosen: which frames; numbers past the end are left out.
        title: the figure's one message.
        landmarks: draw these too.
    """
    chosen = [number for number in chosen if number < len(frames)]
    figure, axes = plt.subplots(1, len(chosen), figsize=(WIDTH, WIDTH / len(chosen) + 0.6), squeeze=False)
    for number, ax in zip(chosen, axes[0], strict=True):
        photo(ax, frames[number], f"frame {number}: {len(found[number])} found")
        boxes(ax, found[number].boxes, 2.0)
        for points in found[number].landmarks if landmarks else ():
            ax.plot(*points.T, "o", color="white", markeredgecolor="black", markersize=4)
    say(figure, title)
    return plots.finish(figure)


def choices_figure(choices: Mapping[str, Sequence[float | None]], title: str) -> Figure:
    """Where the chosen face is in each frame, one strip for each rule of choosing; gaps where none is chosen."""
    figure, axes = plt.subplots(len(choices), 1, figsize=(WIDTH, 1.1 * len(choices) + 0.6), sharex=True, sharey=True)
    for ax, (name, places) in zip(axes, choices.items(), strict=True):
        values = np.array([np.nan if place is None else place for place in places], float)
        ax.plot(values, color=plots.NEUTRAL, linewidth=1, zorder=0)
        ax.plot(values, "o", color="black", markersize=4)
        ax.set_title(name, fontsize=10, fontweight="normal")
        ax.set_ylabel("x, px", fontsize=10)
        for frame in np.flatnonzero(np.isnan(values)):
            ax.axvspan(frame - 0.5, frame + 0.5, color="#DDDDDD", linewidth=0)
    axes[-1].set_xlabel("frame (grey: no face chosen); x is the middle of the chosen face")
    say(figure, title)
    return plots.finish(figure)


# --- what a cut does to a face


def with_margin(
    frame: NDArray[np.uint8], box: np.ndarray, points: np.ndarray, margin: int = 40, size: int = 160
) -> tuple[NDArray[np.uint8], np.ndarray]:
    """facenet-pytorch's own crop of a face, and where its landmarks (5, 2) are in it."""
    crop = extract_face(Image.fromarray(frame), box, size, margin).permute(1, 2, 0).numpy().astype(np.uint8)
    more = margin * (box[2:] - box[:2]) / (size - margin) / 2  # as that function computes it
    low = np.maximum(box[:2] - more, 0).astype(int)
    high = np.minimum(box[2:] + more, frame.shape[1::-1]).astype(int)
    return crop, (points - low) / (high - low) * size


def shape_of(points: np.ndarray) -> float:
    """How wide a face is for its height: distance of the eyes over that from eyes to mouth, of landmarks (5, 2)."""
    eyes, mouth = points[:2], points[3:]
    return float(np.linalg.norm(eyes[1] - eyes[0]) / np.linalg.norm(mouth.mean(0) - eyes.mean(0)))


def stretch_figure(crops: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str) -> Figure:
    """Crops with their landmarks (5, 2), side by side: how far apart the eyes are, and eyes and mouth."""
    figure, axes = plt.subplots(1, len(crops), figsize=(WIDTH, WIDTH / len(crops) + 0.6), squeeze=False)
    for ax, (name, (crop, points)) in zip(axes[0], crops.items(), strict=True):
        photo(ax, crop, name)
        for ends in (points[:2], np.stack([points[:2].mean(0), points[3:].mean(0)])):
            ax.plot(*ends.T, color="white", linewidth=4.5)
            ax.plot(*ends.T, "-o", color="black", linewidth=2, markersize=5)
            x, y = ends.mean(0)
            ax.text(
                x + 3, y - 6, f"{np.linalg.norm(ends[1] - ends[0]):.0f} px", fontsize=11,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )  # fmt: skip
    say(figure, title)
    return plots.finish(figure)


# --- what looking costs


def windows(lines: int, min_face: int) -> int:
    """How many windows P-Net looks at in a square frame; at an odd side's end, one window may reach out by a pixel."""
    sides = [int(lines * scale + 1) for scale in lesson_02.pyramid_scales(lines, min_face)]
    return sum((-(-(side - WINDOW) // STRIDE) + 1) ** 2 for side in sides)


def cost_figure(sizes: Sequence[int], seconds: Sequence[float], frames: int) -> Figure:
    """Core seconds a frame for each smallest face, and what that makes for so many frames."""
    figure, ax = plt.subplots(figsize=(6.4, 3.0))
    ax.barh(range(len(sizes)), seconds, color=plots.NEUTRAL, height=0.65)
    for row, taken in enumerate(seconds):
        ax.annotate(f" {taken:.2f} s per frame, {taken * frames / 3600:.1f} h", (taken, row), va="center")
    ax.set(yticks=range(len(sizes)), yticklabels=[f"{size} px" for size in sizes], ylim=(len(sizes) - 0.4, -0.6))
    ax.set(xlim=(0, max(seconds) * 1.6), xlabel="core seconds for a frame of 720 lines", ylabel="smallest face")
    ax.set_title(f"Small faces cost most; the hours are for {frames:,} frames")
    return plots.finish(figure)


def speed_ups(films: Sequence[np.ndarray], turns: int = 2) -> pd.DataFrame:
    """Ways to find the face in every frame of a film and of its fakes, each with one idea more than the one before.

    Args:
        films: the real one first, then its fakes; (N, H, W, 3) uint8 each, of the same frames.
        turns: each way is measured so often, in turns; the best counts.

    Returns:
        A row a way: `seconds` of one core, `overlap` (median intersection over union of its squares with the first
        way's) and `lost` (faces that the first way finds and this one does not).
    """
    lines = films[0].shape[1]
    loop = MTCNN(keep_all=True, device="cpu")
    plain = FaceDetector("cpu", ExtractionConfig(face_pixels=round(0.15 * lines), batch=1))
    small, batched = FaceDetector("cpu", ExtractionConfig(batch=1)), FaceDetector("cpu")
    ways: dict[str, Callable[[], Sequence[list[Any]]]] = {
        "the usual loop": lambda: [[_biggest(loop.detect(frame)[0]) for frame in film] for film in films],
        "+ no small faces": lambda: [_followed(plain.detect(film)) for film in films],
        "+ 240 lines": lambda: [_followed(small.detect(film)) for film in films],
        "+ many frames at once": lambda: [_followed(batched.detect(film)) for film in films],
        "+ one detection for all": lambda: [_followed(batched.detect(films[0]))] * len(films),
    }
    found: dict[str, list[Any]] = {}
    tasks = {name: _noting(found, name, way) for name, way in ways.items()}
    seconds = core_seconds(tasks, turns)
    reference, rows = next(iter(found.values())), []
    for name, own in found.items():
        pairs = [(a, b) for a, b in zip(reference, own, strict=True) if a is not None]
        overlaps = [lesson_02.iou(_square(a), _square(b)) for a, b in pairs if b is not None]
        rows.append((name, seconds[name], float(np.median(overlaps)), sum(b is None for _, b in pairs)))
    return pd.DataFrame(rows, columns=["way", "seconds", "overlap", "lost"]).set_index("way")


def _noting(found: dict[str, list[Any]], name: str, way: Callable[[], Sequence[list[Any]]]) -> Callable[[], None]:
    def task() -> None:
        found[name] = [box for film in way() for box in film]

    return task


def _biggest(some: np.ndarray | None) -> np.ndarray | None:
    return None if some is None else max(some, key=lambda box: (box[2] - box[0]) * (box[3] - box[1])).astype(float)


def _followed(found: Sequence[Detections]) -> list[np.ndarray | None]:
    return [None if at is None else found[n].boxes[at] for n, at in enumerate(follow(found))]


def _square(box: np.ndarray) -> tuple[float, float, float, float]:
    return square_crop(np.zeros((2, 2, 3), np.uint8), box, size=2)[1]


def speed_figure(ladder: pd.DataFrame, title: str) -> Figure:
    """Times of `speed_ups` as bars, the slowest on top, each with how many times as fast as the first it is."""
    figure, ax = plt.subplots(figsize=(WIDTH, 0.45 * len(ladder) + 0.9))
    seconds = ladder["seconds"].to_numpy()
    ax.barh(range(len(ladder)), seconds, color=plots.NEUTRAL, height=0.7)
    for row, taken in enumerate(seconds):
        times = f": {seconds[0] / taken:.1f} times as fast" if row else ""
        ax.annotate(f" {taken:.2f} s{times}", (taken, row), va="center")
    ax.set(yticks=range(len(ladder)), yticklabels=ladder.index, ylim=(len(ladder) - 0.4, -0.6))
    ax.set(xlim=(0, seconds.max() * 1.25), xlabel="core seconds for one film and its fakes, detection alone")
    ax.set_title(title)
    return plots.finish(figure)


# --- what a crop gives away


def ruler(eyes: np.ndarray, scale: float, usual: float = 1.3) -> tuple[np.ndarray, np.ndarray, float]:
    """Real faces cut twice: as usual, and wider, which we call "fake". How well does a ruler tell them apart?

    Args:
        eyes: (N,) distance of the eyes in crops of the usual width, px.
        scale: how wide the "fakes" are cut.
        usual: how wide the others are.

    Returns:
        Distances (2N,), labels (2N,), and the AUC of "the eyes are near each other, so it is fake".
    """
    from sklearn.metrics import roc_auc_score

    distances, labels = np.concatenate([eyes, eyes * usual / scale]), np.repeat([0, 1], len(eyes))
    return distances, labels, float(roc_auc_score(labels, -distances))


def ruler_figure(eyes: np.ndarray, scale: float) -> Figure:
    """The distances of `ruler`, with its AUC."""
    distances, labels, auc = ruler(eyes, scale)
    figure, ax = plt.subplots(figsize=(6.4, 3.0))
    plots.histogram(ax, distances, labels, bins=np.arange(20, 76, 2))
    ax.set(xlabel="distance of the eyes in the crop, px", xlim=(20, 75))
    ax.set_title(f"Cut 1.30 or {scale:.2f} wide: a ruler's AUC is {auc:.2f}")
    return plots.finish(figure)
