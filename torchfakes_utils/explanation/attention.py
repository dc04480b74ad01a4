"""What heat maps lie on, regions of the face and masks of the manipulation, beside networks that know nothing."""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from torchfakes_utils.explanation import heat_maps
from torchfakes_utils.explanation.config import ExplanationConfig
from torchfakes_utils.explanation.heat_maps import NAMES, grad_cam
from torchfakes_utils.explanation.mask_agreement import agreement, agreement_table, baselines, crop_masks
from torchfakes_utils.explanation.regions import region_shares, region_table
from torchfakes_utils.explanation.sanity_checks import untrained
from torchfakes_utils.faces.outline import landmarks_of
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.models.detector import Detector, load_detector

TRAINED, UNTRAINED, RANDOM_LABELS = "trained", "random weights", "random labels"

# Crops whose maps are held in memory together.
TOGETHER = 256
# Pixels at which maps and masks are compared.
SIZE = 160


# What is kept of the maps of N crops: (N, 7) shares of heat and of area, and N rows of mask agreement.
_Measured = tuple[np.ndarray, np.ndarray, pd.DataFrame]


@dataclass(frozen=True)
class Attention:
    """What heat maps lie on: `REGION_COLUMNS` and `network`; `AGREEMENT_COLUMNS`; {why there is no mask: fakes}."""

    regions: pd.DataFrame
    masks: pd.DataFrame
    mask_problems: dict[str, int]


def measure_attention(
    detector: Detector, faces: pd.DataFrame, data: Path | None, config: ExplanationConfig
) -> Attention:
    """Heat by region and agreement with the masks, over all crops, for the detector and those that know nothing.

    Args:
        detector: any.
        faces: rows of faces.csv with the column `file`.
        data: the data set's folder, for the masks; None measures without.
        config: layer and method, and the networks that know nothing.

    Raises:
        InputError: no detector that was trained on random labels, or crops gone or without landmarks.
    """
    faces = faces.sort_values([*CLIP_KEY, "frame"]).reset_index(drop=True)
    networks = _networks(detector, config)
    found: dict[str, list[list[_Measured]]] = {name: [[] for _ in members] for name, members in networks.items()}
    known: dict[str, list[pd.DataFrame]] = {}
    problems: Counter[str] = Counter()
    spans = whole_clips(faces, TOGETHER)  # so that each mask video is read once
    bar = tqdm(spans, desc="measure", unit="part", leave=False, disable=None if config.progress else True)
    for number, (start, end) in enumerate(bar):
        part = faces.iloc[start:end]
        masks, images = _masks(part, data, problems), heat_maps.inputs(detector, part)
        for name, members in networks.items():
            targets = [NAMES[label] for label in part["label"]] if name == TRAINED else "own"
            for network, measured in zip(members, found[name], strict=True):
                maps = maps_at_size(grad_cam(network, images, config.layer, targets, config.method))
                measured.append((*region_shares(maps, landmarks_at_size(part)), agreement(maps, masks)))
        for name, rows in baselines(masks, seed=number).items():
            known.setdefault(name, []).append(rows)
    regions, agreements = zip(*(_tables(name, members, faces) for name, members in found.items()), strict=True)
    beside = {name: pd.concat(parts, ignore_index=True) for name, parts in known.items()}
    filled = [table for table in (*agreements, agreement_table(beside, faces)) if len(table)] or agreements[:1]
    return Attention(pd.concat(regions, ignore_index=True), pd.concat(filled, ignore_index=True), dict(problems))


def _networks(detector: Detector, config: ExplanationConfig) -> dict[str, list[Detector]]:
    """The detector and those that know nothing, by what they are called."""
    networks = {TRAINED: [detector]}
    if config.controls:
        networks[UNTRAINED] = [untrained(detector, seed) for seed in range(config.controls)]
    if config.random_labels is not None:
        networks[RANDOM_LABELS] = [load_detector(config.random_labels, detector.device)]
    return networks


def _masks(part: pd.DataFrame, data: Path | None, problems: Counter[str]) -> list[np.ndarray | None]:
    """The masks of whole clips; counts in `problems` the fakes that have none, by the reason."""
    if data is None:
        fakes = part[part["label"] == 1].groupby(CLIP_KEY).ngroups
        problems.update({"the data set's folder is not known; give it with --data": fakes} if fakes else {})
        return [None] * len(part)
    read = crop_masks(part, data, SIZE)
    problems.update(read.problems)
    return read.masks


def whole_clips(faces: pd.DataFrame, most: int) -> list[tuple[int, int]]:
    """Spans of rows (start, end) of whole clips, at most so many crops together, or one clip that is longer.

    `faces` has to be sorted by `CLIP_KEY`.
    """
    sizes, cuts = faces.groupby(CLIP_KEY, sort=True).size().to_numpy(), [0]
    for size, end in zip(sizes, np.cumsum(sizes), strict=True):
        if end - cuts[-1] > most and end - size > cuts[-1]:
            cuts.append(int(end - size))
    return list(itertools.pairwise([*cuts, len(faces)]))


def maps_at_size(maps: Sequence[np.ndarray] | np.ndarray) -> list[np.ndarray]:
    """Maps at the size at which they are compared with masks and regions."""
    return [heat_maps.fitted(heat, (SIZE, SIZE)) for heat in maps]


def landmarks_at_size(faces: pd.DataFrame) -> pd.DataFrame:
    """The rows of faces.csv with their landmarks in a crop of the size at which maps are compared."""
    if "crop_size" not in faces:
        return faces
    stored = pd.to_numeric(faces["crop_size"], errors="coerce")
    if (stored == SIZE).all():
        return faces
    scaled = [
        " ".join(f"{value:.3f}" for value in (landmarks_of(text) * (SIZE / size)).ravel())
        for text, size in zip(faces["landmarks"], stored.fillna(SIZE), strict=True)
    ]
    return faces.assign(landmarks=scaled)


def _tables(name: str, members: list[list[_Measured]], faces: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Regions and masks of one kind of network; several of them are taken together, clip by clip."""
    heat, area, agreements = zip(*itertools.chain.from_iterable(members), strict=True)
    faces = pd.concat([faces] * len(members), ignore_index=True)
    regions = region_table(np.concatenate(heat), np.concatenate(area), faces).assign(network=name)
    return regions, agreement_table({name: pd.concat(agreements, ignore_index=True)}, faces)
