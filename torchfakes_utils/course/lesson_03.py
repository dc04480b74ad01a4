"""What lesson 03 needs beside the package: crops to look at, one face in two codecs, and the lesson's exercises."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from torchfakes_utils.course import plots
from torchfakes_utils.course.lesson_03_exercises import LAPLACIAN, NOISE_GAIN, SHARE_REJECTED, SHARPNESS
from torchfakes_utils.crops.table import limit_frames
from torchfakes_utils.datasets.mini.config import MINI_FILE
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.detection import square_crop
from torchfakes_utils.faces.quality import variance_of_laplacian
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.io.video import read_frames
from torchfakes_utils.language import tr
from torchfakes_utils.metrics import binary, intervals

__all__ = ["LAPLACIAN", "NOISE_GAIN", "SHARE_REJECTED", "SHARPNESS"]

SITTERS = {"astronaut": "Collins", "hopper": "Hopper"}  # whose portraits Mini-FF++ is made from
SOFT = 30.0  # sharpness at which the detector of section 7 says 0.5; its order is the same for any value


def turns(values: np.ndarray) -> list[int]:
    """Where a series turns: its lowest before the peak, the peak, the lowest after it, and the highest after that.

    Args:
        values: (N,), in the order of time.

    Returns:
        Up to four places, in order; fewer where the peak lies at an end.
    """
    peak = int(np.argmax(values))
    low = peak + int(np.argmin(values[peak:]))
    return sorted({int(np.argmin(values[: peak + 1])), peak, low, low + int(np.argmax(values[low:]))})


def changing_clip(faces: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Frames of the original whose sharpness changes most, as it rises and falls, and a fake of the same frames.

    Args:
        faces: rows of faces.csv with the column `file`.

    Returns:
        The rows of the original and of the fake, frame by frame the same, in the order of time.
    """
    pairs = plots.face_pairs(faces)
    real = faces[(faces["label"] == 0) & faces["target_id"].isin(pairs["target_id"])]
    person = real.groupby("target_id")["sharpness"].agg(lambda values: values.max() / values.min()).idxmax()
    pairs = pairs[(pairs["target_id"] == person) & (pairs["method_fake"] == pairs["method_fake"].min())]
    by_file = faces.set_index("file", drop=False)
    pairs = pairs.assign(sharpness=by_file.loc[pairs["file_real"], "sharpness"].to_numpy())
    pairs = pairs.assign(frame=by_file.loc[pairs["file_real"], "frame"].to_numpy()).sort_values("frame")
    chosen = pairs.iloc[turns(pairs["sharpness"].to_numpy())]
    return by_file.loc[chosen["file_real"]], by_file.loc[chosen["file_fake"]]


def neighbours(faces: pd.DataFrame, threshold: float, count: int) -> list[Any]:
    """The `count` crops just below a threshold, one a clip, then those just above; None where there are no more."""
    below = faces[faces["sharpness"] < threshold].sort_values("sharpness", ascending=False)
    above = faces[faces["sharpness"] >= threshold].sort_values("sharpness")
    sides = [list(side.drop_duplicates(CLIP_KEY).head(count).itertuples()) for side in (below, above)]
    return [crop for side in sides for crop in [*side, *[None] * (count - len(side))]]


def verdict(crop: Any, threshold: float) -> str:
    """What the threshold does with a crop, a row from `neighbours`, in a few words to stand above it."""
    said = tr("goes") if crop.sharpness < threshold else tr("stays")
    return f"{said}: {crop.sharpness:.1f}, {plots.NAMES[crop.label]}"


def valley(values: np.ndarray, low: float, high: float) -> float:
    """Where, between two numbers, the fewest values lie, on a logarithmic axis; the middle of the emptiest bin.

    Args:
        values: (N,) above 0.
        low, high: between two hills' tops.
    """
    counts, edges = np.histogram(np.log10(values), np.linspace(np.log10(low), np.log10(high), 13))
    emptiest = int(counts.argmin())
    return float(10 ** edges[emptiest : emptiest + 2].mean())


def cut_again(row: pd.Series, clips: pd.DataFrame, data: Path | str, compression: str, size: int = 160) -> np.ndarray:
    """The crop of a row of faces.csv, cut once more: at another size, or from another compression of its clip.

    Args:
        row: one row of faces.csv.
        clips: clips.csv.
        data: the folder that the paths of `clips` are relative to.
        compression: "c23" or "c40".
        size: edge of the result, pixels.

    Raises:
        InputError: the clip is not there in that compression.
    """
    key = (clips["clip_id"] == row["clip_id"]) & (clips["method"] == row["method"])
    found = clips[key & (clips["compression"] == compression)]
    if found.empty:
        raise InputError(f"{row['method']}/{row['clip_id']}: not there in {compression}; download that as well")
    _, frames = read_frames(Path(data) / found["path"].iloc[0], [row["frame"]])
    return square_crop(frames[0], row[["x1", "y1", "x2", "y2"]].to_numpy(float), scale=1.0, size=size)[0]


def in_both(faces: pd.DataFrame, clips: pd.DataFrame, data: Path | str, per_clip: int = 2) -> pd.DataFrame:
    """Sharpness of the same crops in c23 and in c40: rows of `faces` with the columns `c23` and `c40`."""
    some = limit_frames(faces, per_clip)
    heavy = [variance_of_laplacian(cut_again(row, clips, data, "c40")) for _, row in some.iterrows()]
    return some.assign(c23=some["sharpness"], c40=heavy)


def portraits(data: Path | str) -> dict[str, str]:
    """Of whom the photograph is that each person of Mini-FF++ was made from; empty for another data set."""
    manifest = Path(data) / MINI_FILE
    if not manifest.is_file():
        return {}
    return {person["id"]: SITTERS[person["portrait"]] for person in json.loads(manifest.read_text())["people"]}


def sharpness_after(faces: pd.DataFrame, blur_on_fakes: float) -> np.ndarray:
    """Sharpness of each crop when the fakes alone are blurred by a Gaussian.

    Args:
        faces: rows of faces.csv with the column `file`.
        blur_on_fakes: standard deviation in pixels; 0 leaves them as they are.
    """
    return np.array(
        [
            variance_of_laplacian(cv2.GaussianBlur(plots.face(crop.file), (0, 0), blur_on_fakes))
            if crop.label and blur_on_fakes
            else crop.sharpness
            for crop in faces.itertuples()
        ]
    )


def softness_auc(faces: pd.DataFrame, sharpness: np.ndarray) -> tuple[float, float, float]:
    """AUC by clip of "the softer, the faker", and its 95 % interval.

    Args:
        faces: rows of faces.csv.
        sharpness: one number a row.
    """
    by_clip = binary.by_clip(faces.assign(probability_fake=SOFT / (SOFT + sharpness)))
    auc = binary.binary_metrics(by_clip["label"], by_clip["probability_fake"])["auc"]
    low, high = intervals.bootstrap_interval(by_clip) or (np.nan, np.nan)
    return float(auc), float(low), float(high)
