"""What lesson 02 shows of MTCNN, stage by stage, and figures of its pyramid, its maps and its boxes.

facenet-pytorch's `detect` gives only the end of the cascade. The steps in between are those of `export.mtcnn_numpy`,
round facenet-pytorch's own networks, so that a lesson can show what each of them lets through.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import torch
from facenet_pytorch import MTCNN
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from torchfakes_utils.course import plots
from torchfakes_utils.datasets.mini.config import MINI_FILE
from torchfakes_utils.export import mtcnn_numpy
from torchfakes_utils.export.mtcnn_numpy import SURE, WINDOW, FaceNetworks, LevelMap
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.detection import Detections, FaceDetector, square_crop
from torchfakes_utils.faces.tracking import follow
from torchfakes_utils.io.video import length, read_frames, spread


@dataclass(frozen=True)
class Stage:
    """Boxes that are left at some point of the cascade."""

    name: str
    boxes: np.ndarray  # (K, 4) float32, pixels of the photograph
    scores: np.ndarray  # (K,) float32


def face_networks(mtcnn: MTCNN) -> FaceNetworks:
    """The three networks of facenet-pytorch's MTCNN, from arrays to arrays."""

    @torch.inference_mode()
    def answers(network: torch.nn.Module, pictures: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        offsets, *landmarks, probability = network(torch.from_numpy(pictures))
        return [probability[:, 1].numpy(), offsets.numpy(), *(points.numpy() for points in landmarks)]

    return FaceNetworks(*(partial(answers, network) for network in (mtcnn.pnet, mtcnn.rnet, mtcnn.onet)))


def planes(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A photograph (H, W, 3) as the cascade takes it, (3, H, W) float32 of 0 … 255."""
    return image.transpose(2, 0, 1).astype(np.float32)


def level(image: NDArray[np.uint8], scale: float) -> NDArray[np.float32]:
    """One level of the pyramid of a photograph, (3, h, w) float32 of 0 … 255."""
    height, width = (int(side * scale + 1) for side in image.shape[:2])
    return mtcnn_numpy.area_resize(planes(image), height, width)


def cascade_stages(
    networks: FaceNetworks, image: NDArray[np.uint8], maps: Sequence[LevelMap], sure: Sequence[float] = SURE
) -> list[Stage]:
    """Run a photograph through the stages; what is left after each.

    Args:
        networks: from `face_networks`.
        image: (H, W, 3) uint8, RGB.
        maps: P-Net's answers, which do not depend on a threshold: see `mtcnn_numpy.level_maps`.
        sure: thresholds of P-, R- and O-Net.
    """
    pixels = planes(image)
    liked = [mtcnn_numpy.windows(found, sure[0]) for found in maps]
    proposed = mtcnn_numpy.propose(maps, sure[0])
    refined = mtcnn_numpy.refine(pixels, proposed, networks.rnet, sure[1])
    faces = mtcnn_numpy.decide(pixels, refined, networks.onet, sure[2])
    return [
        Stage("P-Net", *(np.concatenate([getattr(one, name) for one in liked]) for name in ("boxes", "probability"))),
        Stage("after NMS", proposed.boxes, proposed.probability),
        Stage("R-Net", refined.boxes, refined.probability),
        Stage("O-Net", faces.boxes, faces.probabilities),
    ]


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
    ways: dict[str, Callable[[], Sequence[list[Any]]]] = {
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
    sizes = [scale for scale, *_ in mtcnn_numpy.pyramid(image.shape[0], image.shape[1], min_face)]
    levels = [_picture(level(image, scale)) for scale in sizes]
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


def maps_figure(image: NDArray[np.uint8], maps: Sequence[LevelMap]) -> Figure:
    """Levels of the pyramid, enlarged to one size, above P-Net's maps: white is "a face fills the window here"."""
    figure, axes = plt.subplots(2, len(maps), figsize=(1.65 * len(maps), 3.75), squeeze=False)
    for (above, below), answer in zip(axes.T, maps, strict=True):
        above.imshow(dimmed(_picture(level(image, answer.scale)), 1.0))
        below.imshow(answer.probability, vmin=0, vmax=1)
        above.set_title(f"faces of {WINDOW / answer.scale:.0f} px", fontsize=9, fontweight="normal")
        below.set_title(f"surest: {answer.probability.max():.3f}", fontsize=9, fontweight="normal")
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


def _picture(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
    return pixels.transpose(1, 2, 0).astype(np.uint8)


def _box(ax: Axes, box: Sequence[float], colour: str, width: float, alpha: float = 1.0) -> None:
    x1, y1, x2, y2 = box
    ax.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, color=colour, linewidth=width, alpha=alpha))


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
