"""A detector's opinion of many crops: read ahead of their use, scored in batches, and with what they look like.

Beside a GPU crops are read by threads of their own (decoding lets go of Python's lock). On a CPU they are not: reading
takes a twentieth of the network's time, and a thread too many makes those that compute wait for each other.
"""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from torchfakes_utils.crops.table import Unreadable, left_out, try_crop
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import Scoring
from torchfakes_utils.faces.quality import QUALITIES, crop_qualities, face_edges, outside_of, variance_of_laplacian
from torchfakes_utils.io.machine import memory_kept, torch_device
from torchfakes_utils.io.prefetch import read_ahead
from torchfakes_utils.io.tables import CLIP_KEY, SCORED_COLUMNS
from torchfakes_utils.models.decision import DISTANCE
from torchfakes_utils.models.detector import Detector
from torchfakes_utils.models.likeness import measured
from torchfakes_utils.models.preprocessing import Preprocessing

logger = logging.getLogger(__name__)

_READERS = min(8, os.cpu_count() or 1)
# Clips that are read and changed together: a whole data set of changed pictures would not fit into memory.
_WINDOW = 16

# What is done to the crops of a clip before they are scored: a list of (H, W, 3) uint8 RGB, in the order of their
# frames, and the number of the clip.
Change = Callable[[list[np.ndarray], int], list[np.ndarray]]


@dataclass(frozen=True)
class _Held:
    """In the place of a crop's file: the crop, (H, W, 3) uint8 RGB."""

    pixels: np.ndarray


@dataclass
class _Part:
    """Some crops, as they are stored and ready for the network.

    Attributes:
        rows: (B,) their places in the table.
        crops: B of (3, H, W) uint8: what is measured, whatever the network's size.
        images: (B, 3, S, S) uint8.
        sharpness: (B,) of crops that were changed; None where the table's holds.
    """

    rows: np.ndarray
    crops: list[np.ndarray]
    images: torch.Tensor
    sharpness: np.ndarray | None = None


def score(
    detector: Detector, faces: pd.DataFrame, scoring: Scoring = Scoring(), change: Change | None = None
) -> pd.DataFrame:
    """P(fake) of every crop, and which crops the detector should not be asked about.

    Args:
        detector: left on the device, in the mode (training or not) that it came in.
        faces: from `load_faces`.
        scoring: how.
        change: what is done to the crops of each clip first.

    Returns:
        A row a crop in the order of `faces`, with `SCORED_COLUMNS`; `cannot_tell` is "" or why the crop lies outside
        of what the detector was trained on. Crops that cannot be read are left out, and said.

    Raises:
        InputError: no crop can be read.
    """
    return _table(detector, faces, observe(detector, faces, scoring, change))


def score_crops(
    detector: Detector, faces: pd.DataFrame, crops: Sequence[np.ndarray], scoring: Scoring = Scoring()
) -> pd.DataFrame:
    """As `score`, of crops that are at hand instead of those that are stored.

    Args:
        detector: as there.
        faces: a row a crop; what it says of where the crop lies has to be so.
        crops: (H, W, 3) uint8, RGB.
        scoring: how.
    """
    given = [_Held(crop) for crop in crops]
    sharpness = [variance_of_laplacian(crop) for crop in crops]
    return score(detector, faces.assign(file=given, sharpness=sharpness).reset_index(drop=True), scoring)


def observe(
    detector: Detector, faces: pd.DataFrame, scoring: Scoring = Scoring(), change: Change | None = None
) -> pd.DataFrame:
    """As `score`, but what is there before anything is decided.

    Returns:
        A row a crop that can be read, in the order of `faces`: `row`, its place there, `logit`, `distance` (NaN where
        the detector measures none), and `QUALITIES`.

    Raises:
        InputError: no crop can be read.
    """
    target, given = torch_device(scoring.device), (faces, detector.preprocessing, scoring.batch)
    parts = _by_clip(*given, change) if change else _in_order(*given)
    bar = tqdm(total=len(faces), desc="score", unit="crop", leave=False, disable=None if scoring.progress else True)
    was_training = detector.training
    detector.to(target).eval()
    found = []
    try:
        with torch.inference_mode(), memory_kept(), bar:
            for part in read_ahead(parts) if target.type != "cpu" else parts:
                images = detector.preprocessing.normalise(part.images.to(target, non_blocking=True))
                answers = detector.answers(images).cpu().double().numpy()  # Apple's GPUs have no float64
                found.append(_rows(part, answers, faces, detector))
                bar.update(len(answers))
    finally:
        detector.train(was_training)
    if not found:
        raise InputError("not one crop can be read; run `torchfakes extract` again")
    return pd.concat(found).sort_values("row")


def _rows(part: _Part, answers: np.ndarray, faces: pd.DataFrame, detector: Detector) -> pd.DataFrame:
    """What is kept of a part: a row a crop, with its place in the table, the answers, and what it looks like."""
    own, sharpness = faces.iloc[part.rows], part.sharpness
    if sharpness is None:
        sharpness = pd.to_numeric(own["sharpness"], errors="coerce").to_numpy()
    edges = face_edges(own, detector.preprocessing.crop_scale)
    seen = crop_qualities(part.crops, outside_of(own), edges, sharpness)
    return seen.assign(**{DISTANCE: measured(answers[:, 1], detector.likeness)}, row=part.rows, logit=answers[:, 0])


def _table(detector: Detector, faces: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """`SCORED_COLUMNS` of the crops that were scored, in the order of `faces`."""
    scored = faces.iloc[found["row"]].reset_index(drop=True)
    outside = [detector.decision.outside(row) for row in found[[*QUALITIES, DISTANCE]].to_dict("records")]
    return scored.assign(
        logit=found["logit"].to_numpy(),
        probability_fake=detector.decision.probability(found["logit"]),
        distance=found[DISTANCE].to_numpy(),
        cannot_tell=outside,
        detector=fingerprint(detector),
    )[SCORED_COLUMNS]


def fingerprint(detector: Detector) -> str:
    """What tells the weights of one detector from those of another: the first twelve digits of their SHA-256."""
    return detector.sha256[:12]


def _in_order(faces: pd.DataFrame, preprocessing: Preprocessing, batch: int) -> Iterator[_Part]:
    """The crops, row by row."""
    files, unreadable = faces["file"].tolist(), []
    with ThreadPoolExecutor(_READERS) as pool:
        for start in range(0, len(files), batch):
            read = list(pool.map(lambda file: _read(file, preprocessing), files[start : start + batch]))
            good = {start + row: both for row, both in enumerate(read) if not isinstance(both, Unreadable)}
            unreadable += [crop.reason for crop in read if isinstance(crop, Unreadable)]
            if good:
                crops, images = zip(*good.values(), strict=True)
                yield _Part(np.array(list(good)), list(crops), torch.stack(images))
    _warn(unreadable)


def _read(file: str | _Held, preprocessing: Preprocessing) -> tuple[np.ndarray, torch.Tensor] | Unreadable:
    """A crop as it is stored, and at the network's size."""
    crop = torch.from_numpy(file.pixels.transpose(2, 0, 1)) if isinstance(file, _Held) else try_crop(file)
    return crop if isinstance(crop, Unreadable) else (crop.numpy(), preprocessing.resize(crop))


def _by_clip(faces: pd.DataFrame, preprocessing: Preprocessing, batch: int, change: Change) -> Iterator[_Part]:
    """The crops, clip by clip, changed; in batches that do not end with a clip."""
    numbered = faces.assign(_row=np.arange(len(faces))).sort_values([*CLIP_KEY, "frame"], kind="stable")
    clips = list(enumerate(group["_row"].to_numpy() for _, group in numbered.groupby(CLIP_KEY, sort=True)))
    files, unreadable = faces["file"].tolist(), list[str]()

    def changed(clip: tuple[int, np.ndarray]) -> list[tuple[int, np.ndarray]]:
        number, rows = clip
        crops = {row: try_crop(files[row]) for row in rows}
        unreadable.extend(crop.reason for crop in crops.values() if isinstance(crop, Unreadable))
        good = {row: crop.permute(1, 2, 0).numpy() for row, crop in crops.items() if not isinstance(crop, Unreadable)}
        return list(zip(good, change(list(good.values()), number), strict=True)) if good else []

    with ThreadPoolExecutor(_READERS) as pool:
        windows = (pool.map(changed, clips[start : start + _WINDOW]) for start in range(0, len(clips), _WINDOW))
        crops = chain.from_iterable(chain.from_iterable(windows))
        while some := list(islice(crops, batch)):
            rows, pictures = zip(*some, strict=True)
            planes = [picture.transpose(2, 0, 1) for picture in pictures]
            images = [preprocessing.resize(torch.from_numpy(crop)) for crop in planes]
            sharpness = np.array([variance_of_laplacian(picture) for picture in pictures])
            yield _Part(np.array(rows), planes, torch.stack(images), sharpness)
    _warn(unreadable)


def _warn(unreadable: Sequence[str]) -> None:
    if unreadable:
        logger.warning("%s", left_out(unreadable))
