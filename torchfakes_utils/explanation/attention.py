"""What heat maps lie on, regions of the face and masks of the manipulation, beside networks that know nothing."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
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
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.models.detector import Detector, load_detector

TRAINED, UNTRAINED, RANDOM_LABELS = "trained", "random weights", "random labels"

# Crops whose maps are held in memory together.
TOGETHER = 256
# Pixels at which maps and masks are compared.
SIZE = 160


@dataclass
class _Measured:
    """What is kept of the maps of many crops: (N, 7) shares of heat and of area, and N rows of mask agreement."""

    heat: list[np.ndarray] = field(default_factory=list)
    area: list[np.ndarray] = field(default_factory=list)
    agreement: list[pd.DataFrame] = field(default_factory=list)

    def add(self, maps: list[np.ndarray], faces: pd.DataFrame, masks: list[np.ndarray | None]) -> None:
        heat, area = region_shares(maps, faces)
        self.heat.append(heat)
        self.area.append(area)
        self.agreement.append(agreement(maps, masks))


@dataclass(frozen=True)
class Attention:
    """What heat maps lie on.

    Attributes:
        regions: `REGION_COLUMNS` and `network`.
        masks: `AGREEMENT_COLUMNS`; empty without masks.
        mask_problems: why fakes have no mask, {reason: fakes}.
    """

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
    found = {name: [_Measured() for _ in members] for name, members in networks.items()}
    known: dict[str, list[pd.DataFrame]] = {}
    problems: Counter[str] = Counter()
    for number, part in enumerate(_batches(faces, config.progress)):
        masks = _masks(part, data, problems)
        images = heat_maps.inputs(detector, part)
        for name, members in networks.items():
            for network, measured in zip(members, found[name], strict=True):
                targets = [NAMES[label] for label in part["label"]] if name == TRAINED else "own"
                maps = grad_cam(network, images, config.layer, targets, config.method)
                measured.add(maps_at_size(maps), landmarks_at_size(part), masks)
        for name, rows in baselines(masks, seed=number).items():
            known.setdefault(name, []).append(rows)
    regions = pd.concat([_regions_of(name, members, faces) for name, members in found.items()], ignore_index=True)
    return Attention(regions, _masks_of(found, known, faces), dict(problems))


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
    """Spans of rows that hold whole clips, together at most so many crops, or one clip that is longer.

    Args:
        faces: sorted by `CLIP_KEY`.
        most: crops in a span.

    Returns:
        First row and the one after the last, for each span, in order.
    """
    sizes = faces.groupby(CLIP_KEY, sort=True).size().to_numpy()
    ends = np.cumsum(sizes)
    cuts = [0]
    for size, end in zip(sizes, ends, strict=True):
        if end - cuts[-1] > most and end - size > cuts[-1]:
            cuts.append(int(end - size))
    return list(itertools.pairwise([*cuts, len(faces)]))


def _batches(faces: pd.DataFrame, progress: bool) -> Iterator[pd.DataFrame]:
    """Whole clips, so that each mask video is read once."""
    spans = whole_clips(faces, TOGETHER)
    for start, end in tqdm(spans, desc="measure", unit="part", leave=False, disable=None if progress else True):
        yield faces.iloc[start:end]


def maps_at_size(maps: Sequence[np.ndarray] | np.ndarray) -> list[np.ndarray]:
    """Maps at the size at which they are compared with masks and regions."""
    return [heat_maps.fitted(heat, (SIZE, SIZE)) for heat in maps]


def landmarks_at_size(faces: pd.DataFrame) -> pd.DataFrame:
    """The rows of faces.csv with their landmarks in a crop of the size at which maps are compared."""
    stored = (
        pd.to_numeric(faces["crop_size"], errors="coerce") if "crop_size" in faces else pd.Series(SIZE, faces.index)
    )
    if (stored == SIZE).all():
        return faces
    scaled = [
        " ".join(f"{float(word) * SIZE / size:.3f}" for word in text.split())
        for text, size in zip(faces["landmarks"], stored.fillna(SIZE), strict=True)
    ]
    return faces.assign(landmarks=scaled)


def _regions_of(name: str, members: list[_Measured], faces: pd.DataFrame) -> pd.DataFrame:
    """The table of one kind of network; several of them are taken together, clip by clip."""
    heat, area = (np.concatenate([np.concatenate(getattr(one, what)) for one in members]) for what in ("heat", "area"))
    table = region_table(heat, area, pd.concat([faces] * len(members), ignore_index=True))
    return table.assign(network=name)


def _masks_of(
    found: dict[str, list[_Measured]], known: dict[str, list[pd.DataFrame]], faces: pd.DataFrame
) -> pd.DataFrame:
    tables = []
    for name, members in found.items():
        rows = pd.concat([part for one in members for part in one.agreement], ignore_index=True)
        tables.append(agreement_table({name: rows}, pd.concat([faces] * len(members), ignore_index=True)))
    tables.append(agreement_table({name: pd.concat(parts, ignore_index=True) for name, parts in known.items()}, faces))
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)
