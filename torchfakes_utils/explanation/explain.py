"""Where a detector looks, measured: pictures, attention by region, agreement with the masks, and sanity checks.

Everything is measured beside networks that know nothing, for a map that looks plausible is no evidence: the same
architecture with random weights, a centre prior, random maps, and, where one was trained, a network trained
on random labels.
"""

import itertools
import json
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from tqdm import tqdm

from torchfakes_utils.crops.table import limit_frames, load_faces_for, read_crop
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import Scoring
from torchfakes_utils.evaluation.scoring import fingerprint, score
from torchfakes_utils.explanation import heat_maps
from torchfakes_utils.explanation.config import ExplanationConfig
from torchfakes_utils.explanation.heat_maps import NAMES, check_choice, grad_cam, overlay
from torchfakes_utils.explanation.mask_agreement import agreement, agreement_table, baselines, crop_masks, find_data
from torchfakes_utils.explanation.regions import clip_names, region_shares, region_table
from torchfakes_utils.explanation.sanity_checks import (
    Question,
    cascading_randomisation,
    detector_similarity,
    road,
    stability,
    untrained,
)
from torchfakes_utils.io.files import atomic_write
from torchfakes_utils.io.machine import torch_device
from torchfakes_utils.io.tables import CLIP_KEY, SCORE_COLUMNS, write_table
from torchfakes_utils.io.video import spread
from torchfakes_utils.models.detector import Detector, load
from torchfakes_utils.models.run_files import (
    EXPLANATION_FILE,
    EXPLANATIONS_FILE,
    EXPLANATIONS_FOLDER,
    LAYERS_FILE,
    MAPS_FILE,
    MASKS_FILE,
    OVERLAYS_FOLDER,
    REGIONS_FILE,
)

logger = logging.getLogger(__name__)

EXPLANATION_COLUMNS = [*SCORE_COLUMNS, "overlay"]

TRAINED, UNTRAINED, RANDOM_LABELS = "trained", "random weights", "random labels"

# Crops whose maps are held in memory together.
_TOGETHER = 256
# Pixels at which maps and masks are compared.
_SIZE = 160
# Crops that the sanity checks are made on, one a clip.
_CHECKED = 48


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


def explain(
    run: Path | str,
    faces_csv: Path | str,
    out: Path | str | None = None,
    config: ExplanationConfig = ExplanationConfig(),
) -> Path:
    """Draw some crops of a split, and measure all of them.

    Args:
        run: a folder that `torchfakes train` wrote.
        faces_csv: the table of crops.
        out: the folder to write to; `explanations` in the run's folder when not given.
        config: what is explained.

    Returns:
        `out`, which holds:

        - `overlays/*.png` (a crop beside its overlay), `maps.npz` (`maps` (N, S, S) float32, `path` (N,)) and
          `explanations.csv` (the scores of these crops, and the overlay of each): as many real crops as of each
          manipulation, one a clip, each with what spoke for "fake";
        - `regions.csv`: attention by face region, with the column `network`; real crops are asked what spoke for
          "real", fakes what spoke for "fake", networks that know nothing what spoke for their own answer;
        - `masks.csv`: agreement with the masks of the manipulation, where there are any;
        - `layers.csv`: attention by region for every layer and method, one crop a clip;
        - `explanation.json`: all of these and the sanity checks, for the report.

    Raises:
        InputError: no detector in `run`, no such split, layer or method, crops gone or cut in another way, or a
            read-only folder.
    """
    run, faces_csv = Path(run), Path(faces_csv)
    out = run / EXPLANATIONS_FOLDER if out is None else Path(out)
    if config.data is not None and not Path(config.data).is_dir():
        raise InputError(f"{config.data}: no such folder; --data names the data set, in which the mask videos are")
    detector = load(run, torch_device(config.device))
    faces = load_faces_for(detector, faces_csv, config.split)
    layer = check_choice(detector, config.layer, config.method)
    _draw(detector, choose(faces, config.limit), out, config)
    measured = faces if config.frames is None else limit_frames(faces, config.frames)
    data = config.data or find_data(faces_csv)
    summary = {
        "split": config.split,
        "layer": layer,
        "method": config.method,
        "detector": fingerprint(detector),
        "crops": len(measured),
        **_attention(detector, measured, data, out, config),
        **(_checks(detector, faces, out, config) if config.checks else {"sanity": None, "layers": None}),
    }
    with atomic_write(out / EXPLANATION_FILE) as temporary:
        temporary.write_text(json.dumps(summary, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return out


def choose(faces: pd.DataFrame, limit: int) -> pd.DataFrame:
    """Crops to look at: the middle one of each clip, taking the methods (real counts as one) in turn up to `limit`."""
    ordered = faces.sort_values([*CLIP_KEY, "frame"])
    middles = pd.concat([clip.iloc[spread(1, len(clip))] for _, clip in ordered.groupby(CLIP_KEY, sort=True)])
    group = middles["method"].where(middles["label"] == 1, "")
    # The round in which a crop is taken: its place within its method.
    rounds = middles.groupby(group).cumcount()
    chosen = middles.assign(_round=rounds, _group=group).sort_values(["_round", "_group"], kind="stable").head(limit)
    return chosen.drop(columns=["_round", "_group"]).sort_values(["label", *CLIP_KEY]).reset_index(drop=True)


def _draw(detector: Detector, faces: pd.DataFrame, out: Path, config: ExplanationConfig) -> None:
    """Crops beside their overlays, and the maps themselves, as the network's input sees them."""
    scores = score(detector, faces, Scoring(device=config.device))
    crops = [read_crop(file) for file in faces["file"]]
    images = heat_maps.inputs(detector, faces)
    maps, overlays = grad_cam(detector, images, config.layer, "fake", config.method), []
    for row, crop, heat in zip(faces.itertuples(), crops, maps, strict=True):
        name = f"{OVERLAYS_FOLDER}/{row.label}_{row.method}_{row.compression}_{row.clip_id}_{row.frame}.png"
        photo = crop.permute(1, 2, 0).numpy()
        with atomic_write(out / name) as temporary:
            Image.fromarray(np.hstack([photo, overlay(photo, heat)])).save(temporary)
        overlays.append(name)
    with atomic_write(out / MAPS_FILE) as temporary:
        np.savez_compressed(temporary, maps=maps, path=faces["path"].to_numpy(str))
    write_table(scores.assign(overlay=overlays), out / EXPLANATIONS_FILE, EXPLANATION_COLUMNS)


def _attention(
    detector: Detector, faces: pd.DataFrame, data: Path | None, out: Path, config: ExplanationConfig
) -> dict[str, Any]:
    """Regions and masks, over all crops, for the detector and those that know nothing."""
    faces = faces.sort_values([*CLIP_KEY, "frame"]).reset_index(drop=True)
    networks = _networks(detector, config)
    found = {name: [_Measured() for _ in members] for name, members in networks.items()}
    known: dict[str, list[pd.DataFrame]] = {}
    problems: Counter[str] = Counter()
    for number, part in enumerate(_parts(faces, config.progress)):
        masks = _masks(part, data, problems)
        images = heat_maps.inputs(detector, part)
        for name, members in networks.items():
            for network, measured in zip(members, found[name], strict=True):
                targets = [NAMES[label] for label in part["label"]] if name == TRAINED else "own"
                maps = grad_cam(network, images, config.layer, targets, config.method)
                measured.add([heat_maps.fitted(heat, (_SIZE, _SIZE)) for heat in maps], _at_size(part), masks)
        for name, rows in baselines(masks, seed=number).items():
            known.setdefault(name, []).append(rows)
    for reason, count in problems.items():
        logger.warning("%d fakes without a mask: %s", count, reason)
    regions = pd.concat([_regions_of(name, members, faces) for name, members in found.items()], ignore_index=True)
    masks_table = _masks_of(found, known, faces)
    write_table(regions, out / REGIONS_FILE)
    write_table(masks_table, out / MASKS_FILE)
    return {"regions": _rows(regions), "masks": _rows(masks_table), "mask_problems": dict(problems)}


def _networks(detector: Detector, config: ExplanationConfig) -> dict[str, list[Detector]]:
    """The detector and those that know nothing, by what they are called."""
    networks = {TRAINED: [detector]}
    if config.controls:
        networks[UNTRAINED] = [untrained(detector, seed) for seed in range(config.controls)]
    if config.random_labels is not None:
        networks[RANDOM_LABELS] = [load(config.random_labels, detector.device)]
    return networks


def _masks(part: pd.DataFrame, data: Path | None, problems: Counter[str]) -> list[np.ndarray | None]:
    """The masks of whole clips; counts in `problems` the fakes that have none, by the reason."""
    if data is None:
        fakes = part[part["label"] == 1].groupby(CLIP_KEY).ngroups
        problems.update({"the data set's folder is not known; give it with --data": fakes} if fakes else {})
        return [None] * len(part)
    read = crop_masks(part, data, _SIZE)
    problems.update(read.problems)
    return read.masks


def _parts(faces: pd.DataFrame, progress: bool) -> Iterator[pd.DataFrame]:
    """Whole clips, together at most `_TOGETHER` crops (or one clip that is longer): each mask video is read once."""
    sizes = faces.groupby(CLIP_KEY, sort=True).size().to_numpy()
    ends = np.cumsum(sizes)
    cuts = [0]
    for size, end in zip(sizes, ends, strict=True):
        if end - cuts[-1] > _TOGETHER and end - size > cuts[-1]:
            cuts.append(int(end - size))
    cuts.append(len(faces))
    spans = list(itertools.pairwise(cuts))
    for start, end in tqdm(spans, desc="measure", unit="part", leave=False, disable=None if progress else True):
        yield faces.iloc[start:end]


def _at_size(faces: pd.DataFrame) -> pd.DataFrame:
    """The rows with their landmarks in a crop of `_SIZE` pixels."""
    stored = (
        pd.to_numeric(faces["crop_size"], errors="coerce") if "crop_size" in faces else pd.Series(_SIZE, faces.index)
    )
    if (stored == _SIZE).all():
        return faces
    scaled = [
        " ".join(f"{float(word) * _SIZE / size:.3f}" for word in text.split())
        for text, size in zip(faces["landmarks"], stored.fillna(_SIZE), strict=True)
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


def _question(detector: Detector, faces: pd.DataFrame, config: ExplanationConfig) -> Question:
    """Some crops, each asked about its own label."""
    targets = [NAMES[label] for label in faces["label"]]
    return Question(heat_maps.inputs(detector, faces), targets, clip_names(faces), config.layer, config.method)


def _checks(detector: Detector, faces: pd.DataFrame, out: Path, config: ExplanationConfig) -> dict[str, Any]:
    """The sanity checks, and every layer and method, on one crop a clip, at most so many."""
    some = choose(faces, _CHECKED)
    question = _question(detector, some, config)
    shuffled = None
    if config.random_labels is not None:
        other = load(config.random_labels, detector.device)
        shuffled = _rows(detector_similarity(detector, other, question, RANDOM_LABELS))
    return {
        "sanity": {
            "crops": len(question.images),
            "cascading_randomisation": _rows(cascading_randomisation(detector, question)),
            "random_labels": shuffled,
            "stability": _rows(stability(detector, question)),
            "road": _rows(road(detector, question)),
        },
        "layers": _layers(detector, some, question, out),
    }


def _layers(detector: Detector, faces: pd.DataFrame, question: Question, out: Path) -> list[dict[str, Any]]:
    """Attention by region at every depth and by every method."""
    tables = []
    for layer in detector.feature_layers:
        for method in heat_maps.METHODS:
            maps = grad_cam(detector, question.images, layer, question.targets, method)
            maps = [heat_maps.fitted(heat, (_SIZE, _SIZE)) for heat in maps]
            table = region_table(*region_shares(maps, _at_size(faces)), faces)
            tables.append(table.assign(layer=layer, method=method))
    table = pd.concat(tables, ignore_index=True)
    write_table(table, out / LAYERS_FILE)
    return _rows(table)


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table as JSON has it: what is not known is null."""
    plain = table.astype(object).where(table.notna(), None)
    return json.loads(plain.to_json(orient="records", double_precision=6))
