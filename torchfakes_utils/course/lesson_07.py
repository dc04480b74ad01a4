"""What lesson 07 needs beside the package: regions of a face, the mask of a fake as its crop sees it, shares of heat.

The regions come from the five landmarks alone. They are bands and boxes in the face's own coordinates, not anatomy:
good enough to ask whether heat lies on the mouth, not good enough to tell lips from teeth.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from torchfakes_utils import explanation
from torchfakes_utils.course import plots
from torchfakes_utils.dataset import read_crop
from torchfakes_utils.detector import Detector
from torchfakes_utils.face_detection import square_crop
from torchfakes_utils.faceforensics import mask_path
from torchfakes_utils.tables import CLIP_KEY
from torchfakes_utils.video import read_frames, spread

REGIONS = ("forehead", "eyes", "nose", "cheeks", "mouth", "chin", "outside")


def varied_pairs(faces: pd.DataFrame, count: int = 5) -> pd.DataFrame:
    """Some people, each real and forged in the same frame, with the methods in turn.

    Args:
        faces: rows of faces.csv with the column `file`.
        count: of people; as many as there are, if fewer.

    Returns:
        Rows of `faces`: the real crops first, then, in the same order, a fake of each.
    """
    pairs = plots.face_pairs(faces)
    people, methods = (np.sort(pairs[name].unique()) for name in ("target_id", "method_fake"))
    chosen = []
    for number, person in enumerate(people[spread(count, len(people))]):
        own = pairs[pairs["target_id"] == person]
        # From this person's methods the one whose turn it is, where there is one.
        turn = own[own["method_fake"] == methods[number % len(methods)]]
        own = turn if len(turn) else own
        chosen.append(own.iloc[len(own) // 2])
    files = [pair[f"file_{name}"] for name in plots.NAMES for pair in chosen]
    return faces.set_index("file", drop=False).loc[files].reset_index(drop=True)


def landmarks_of(text: str) -> np.ndarray:
    """The column `landmarks` of faces.csv as (5, 2): left eye, right eye, nose, mouth corners; x, y in pixels."""
    return np.array(text.split(), np.float64).reshape(5, 2)


def face_regions(landmarks: np.ndarray, size: int = 160) -> np.ndarray:
    """Which region of the face each pixel of a crop belongs to.

    Coordinates are the face's own, so that the regions turn and stretch with it: `across` is 0 on the midline and 0.5
    at an eye, `along` is 0 at the eyes and 1 at the mouth.

    Args:
        landmarks: (5, 2), x and y in pixels of the crop.
        size: edge of the crop.

    Returns:
        (size, size) int64: an index into `REGIONS`; every pixel has exactly one.
    """
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    # Its columns are the face's two axes in pixels; the inverse takes pixels to the face's coordinates.
    to_face = np.linalg.inv(np.stack([landmarks[1] - landmarks[0], mouth - eyes], axis=1))
    y, x = np.mgrid[:size, :size]
    across, along = np.moveaxis((np.stack([x, y], axis=-1) - eyes) @ to_face.T, -1, 0)
    across = np.abs(across)
    face = (across / 0.95) ** 2 + ((along - 0.6) / 1.3) ** 2 <= 1  # brow to chin, ear to ear
    inside = [  # the first that holds is taken
        ("forehead", along < -0.35),
        ("eyes", along < 0.3),
        ("nose", (along < 0.78) & (across < 0.3)),
        ("chin", along >= 1.3),
        ("mouth", (along >= 0.78) & (across < 0.65)),
    ]
    names = [REGIONS.index("outside"), *(REGIONS.index(name) for name, _ in inside)]
    return np.select([~face, *(where for _, where in inside)], names, REGIONS.index("cheeks"))


def paint_regions(photo: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """A photo (S, S, 3) uint8 with the borders of its regions (S, S) drawn in white, what is outside darkened."""
    painted = np.where((regions == REGIONS.index("outside"))[..., None], photo // 2, photo)
    edge = np.zeros(regions.shape, bool)
    edge[1:] |= regions[1:] != regions[:-1]
    edge[:, 1:] |= regions[:, 1:] != regions[:, :-1]
    painted[edge] = 255
    return painted


def crop_mask(row: Mapping[str, object], data: Path | str, size: int = 160) -> np.ndarray | None:
    """Where a fake was edited, in the coordinates of its crop.

    Args:
        row: of faces.csv.
        data: the data set's folder.
        size: edge of the crop.

    Returns:
        (size, size) bool, or None where the data set has no mask: for real clips, and where none was downloaded.
    """
    name = mask_path(row)
    if name is None or not (Path(data) / name).is_file():
        return None
    _, frames = read_frames(Path(data) / name, indices=[int(row["frame"])])
    # The mask video has the film's frame: the crop's own square, cut again with nothing added, fits it.
    return square_crop(frames[0], [row["x1"], row["y1"], row["x2"], row["y2"]], 1.0, size)[0][..., 0] > 127


def outline(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A photo (S, S, 3) uint8 with the border of a mask (S, S) bool drawn in the colour of fakes, the rest darkened."""
    edge = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool) & ~mask
    drawn = np.where(mask[..., None], photo, photo // 2)
    drawn[edge] = np.round(255 * np.array(to_rgb(plots.FAKE)))
    return drawn


def heat_maps(
    detector: Detector, faces: pd.DataFrame, targets: Sequence[str], layer: str | None = None, **options
) -> list[np.ndarray]:
    """Grad-CAM of every crop, each for a target of its own ("fake" or "real"), brought to the crop's size.

    Args:
        detector: any.
        faces: rows of faces.csv with the column `file`.
        targets: one a row.
        layer: a name from `Detector.feature_layers`.
        **options: for `explanation.grad_cam`.

    Returns:
        (H, W) float32 in [0, 1], one a row, in the rows' order.
    """
    import torch

    crops = [read_crop(file) for file in faces["file"]]
    targets, maps = np.asarray(targets), [np.empty(0)] * len(crops)
    for target in np.unique(targets):
        chosen = np.flatnonzero(targets == target)
        images = torch.stack([detector.preprocessing.apply(crops[i]) for i in chosen])
        found = explanation.grad_cam(detector, images, layer, str(target), **options)
        for i, heat in zip(chosen, found, strict=True):
            maps[i] = cv2.resize(heat, crops[i].shape[:0:-1], interpolation=cv2.INTER_LINEAR)
    return maps


def shares(heat: np.ndarray, parts: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """How much of a map's heat, and of its area, falls on each part.

    Args:
        heat: (S, S), not negative.
        parts: (S, S) int, the part of each pixel, 0 to count - 1.
        count: of parts.

    Returns:
        Two arrays (count,) that each sum to 1; the heat's is NaN where the map is all zeros.
    """
    area = np.bincount(parts.ravel(), minlength=count) / parts.size
    total = float(heat.sum())
    warm = np.bincount(parts.ravel(), heat.ravel(), minlength=count)
    return warm / total if total > 0 else np.full(count, np.nan), area


def times_its_area(
    heat: np.ndarray, area: np.ndarray, clips: Sequence[object], replicates: int = 2000, seed: int = 0
) -> np.ndarray:
    """Share of heat over share of area, with a 95 % interval from drawing clips, not frames, again and again.

    Args:
        heat: (N, K) shares of heat of N crops on K parts; rows of NaN (maps of zeros) are left out.
        area: (N, K) shares of area.
        clips: (N,) which clip each crop is of.
        replicates: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        (K, 3): the ratio (1 = no more and no less than its area), and the interval's low and high end. NaN where no
        map is left.
    """
    kept = ~np.isnan(heat).any(axis=1)
    codes = pd.factorize(np.asarray(clips, object)[kept])[0]
    if not len(codes):
        return np.full((heat.shape[1], 3), np.nan)
    by_clip = [pd.DataFrame(values[kept]).groupby(codes).mean().to_numpy() for values in (heat, area)]
    draws = np.random.default_rng(seed).integers(0, len(by_clip[0]), (replicates, len(by_clip[0])))
    with np.errstate(invalid="ignore", divide="ignore"):  # a part that no crop has: 0 / 0
        ratio = by_clip[0].mean(axis=0) / by_clip[1].mean(axis=0)
        drawn = by_clip[0][draws].mean(axis=1) / by_clip[1][draws].mean(axis=1)  # (replicates, K)
    return np.column_stack([ratio, *np.quantile(drawn, [0.025, 0.975], axis=0)])


def region_ratios(maps: Sequence[np.ndarray], faces: pd.DataFrame) -> np.ndarray:
    """Share of heat over share of area for each of `REGIONS`, over some crops.

    Args:
        maps: (S, S) of each crop, as `heat_maps` gives them.
        faces: their rows of faces.csv.

    Returns:
        (7, 3): ratio, and the low and high end of its interval by clip; see `times_its_area`.
    """
    pairs = [
        shares(heat, face_regions(landmarks_of(text), len(heat)), len(REGIONS))
        for heat, text in zip(maps, faces["landmarks"], strict=True)
    ]
    return times_its_area(*(np.array(part) for part in zip(*pairs, strict=True)), clip_names(faces))


def mask_ratios(maps: Sequence[np.ndarray], faces: pd.DataFrame, data: Path | str) -> pd.DataFrame:
    """How much of the heat on fakes lies where they were edited, against how much of the crop that is.

    Args:
        maps: (S, S) of each crop.
        faces: their rows of faces.csv; crops without a mask are left out.
        data: the data set's folder.

    Returns:
        A row a method (the index): `area`, the mask's mean share of the crop; `ratio`, share of heat over share of
        area; `low` and `high`, its interval by clip.
    """
    found = []
    for heat, (_, row) in zip(maps, faces.iterrows(), strict=True):
        mask = crop_mask(row, data, len(heat))
        if mask is not None and mask.any():
            found.append((row["method"], *(part[1] for part in shares(heat, mask.astype(np.int64), 2)), row.name))
    table = pd.DataFrame(found, columns=["method", "heat", "area", "row"])
    rows = {}
    for method, part in table.groupby("method"):
        clips = clip_names(faces.loc[part["row"]])
        ratio = times_its_area(part[["heat"]].to_numpy(), part[["area"]].to_numpy(), clips)[0]
        rows[method] = dict(zip(("area", "ratio", "low", "high"), (part["area"].mean(), *ratio), strict=True))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["area", "ratio", "low", "high"])


def clip_names(faces: pd.DataFrame) -> np.ndarray:
    """Which clip each row is of, as one text: the file name alone is shared by four fakes."""
    return faces[CLIP_KEY].agg("/".join, axis=1).to_numpy()


def verdict(low: float, high: float) -> str:
    """What an interval round a ratio to chance allows one to say."""
    if np.isnan(low):
        return "no heat"
    return "more than chance" if low > 1 else "less than chance" if high < 1 else "cannot tell"


Series = tuple[str, str, str, np.ndarray]


def ratio_figure(rows: Sequence[str], panels: Mapping[str, Sequence[Series]], title: str) -> Figure:
    """Ratios to chance with their intervals: a row a part, a marker a series, a line where chance is.

    Args:
        rows: the parts, from top to bottom.
        panels: side by side on one scale: what each shows, and its series: (name, colour, marker, (K, 3) ratio, low,
            high) of each.
        title: the figure's one message.
    """
    size = (8.4 if len(panels) > 1 else 6.6, 0.52 * len(rows) + 1.5)
    figure, axes = plt.subplots(1, len(panels), figsize=size, sharex=True, sharey=True, squeeze=False)
    ends = np.concatenate([values.ravel() for series in panels.values() for *_, values in series])
    longest = ends[np.isfinite(ends)].max(initial=1)
    for ax, (name, series) in zip(axes[0], panels.items(), strict=True):
        ax.axvline(1, color=plots.NEUTRAL, linestyle="--", linewidth=1)
        ax.annotate(" chance", (1, len(rows) - 0.55), va="bottom", color=plots.NEUTRAL, fontsize=9)
        heights = np.linspace(-0.2, 0.2, len(series)) if len(series) > 1 else [0.0]
        for offset, (label, colour, marker, values) in zip(heights, series, strict=True):
            if np.isnan(values).all():  # every map was dark
                continue
            y = np.arange(len(rows)) + offset
            ax.hlines(y, values[:, 1], values[:, 2], color=colour, linewidth=2)
            ax.plot(values[:, 0], y, marker, color=colour, markersize=9, markeredgecolor="white")
            right = np.nanargmax(values[:, 2])  # the name stands where nothing else does: right of the longest line
            ax.annotate(
                f"  {label}", (values[right, 2], y[right]), va="center", color=colour, fontweight="bold", fontsize=9
            )
        ax.set(
            yticks=range(len(rows)), yticklabels=rows, xlim=(0, 1.25 * longest), ylim=(max(len(rows), 1) - 0.5, -0.5)
        )
        ax.set_title(name, fontsize=10, fontweight="normal")
        ax.set_xlabel("share of heat ÷ share of area")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def look(
    detector: Detector, faces: pd.DataFrame, face: int = 0, layer: str | None = None, target: str = "fake"
) -> Figure:
    """One face: the crop, the heat map as the layer has it, and laid over the crop."""
    row = faces.iloc[[face]]
    photo = plots.face(row["file"].item())
    heat = heat_maps(detector, row, [target], layer)[0]
    grid = cv2.applyColorMap(np.rint(255 * heat).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    name = "real" if row["label"].item() == 0 else f"fake, {row['method'].item()}"
    titles = [name, f"{layer}: speaks for “{target}”", "laid over the crop"]
    return plots.images([photo, grid, explanation.overlay(photo, heat)], titles, inches=2.3)
