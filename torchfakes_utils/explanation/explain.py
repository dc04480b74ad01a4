"""Where a detector looks, measured: pictures, attention by region, agreement with the masks, and sanity checks.

Everything is measured beside networks that know nothing, for a map that looks plausible is no evidence: the same
architecture with random weights, a centre prior, random maps, and, where one was trained, a network trained
on random labels.
"""

import itertools
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from torchfakes_utils.crops.table import limit_frames, load_faces_for, read_crop
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import Scoring
from torchfakes_utils.evaluation.scoring import fingerprint, score
from torchfakes_utils.explanation import heat_maps, sanity_checks
from torchfakes_utils.explanation.attention import RANDOM_LABELS, landmarks_at_size, maps_at_size, measure_attention
from torchfakes_utils.explanation.config import ExplanationConfig
from torchfakes_utils.explanation.heat_maps import NAMES, check_choice, grad_cam, overlay
from torchfakes_utils.explanation.mask_agreement import find_data
from torchfakes_utils.explanation.regions import clip_names, region_shares, region_table
from torchfakes_utils.explanation.sanity_checks import Question
from torchfakes_utils.io.files import atomic_write, write_record
from torchfakes_utils.io.folders import Stamp, claim
from torchfakes_utils.io.machine import torch_device
from torchfakes_utils.io.names import components
from torchfakes_utils.io.tables import CLIP_KEY, SCORE_COLUMNS, write_table
from torchfakes_utils.io.video import spread
from torchfakes_utils.metrics.intervals import people_drawn
from torchfakes_utils.models import run_files
from torchfakes_utils.models.detector import Detector, load_detector

logger = logging.getLogger(__name__)

_WRITES = (
    run_files.EXPLANATION_FILE, run_files.EXPLANATIONS_FILE, run_files.REGIONS_FILE, run_files.MASKS_FILE,
    run_files.LAYERS_FILE, run_files.MAPS_FILE, run_files.OVERLAYS_FOLDER,
)  # fmt: skip
_STAMP = Stamp("explanations", "torchfakes explain", 1, writes=_WRITES)

EXPLANATION_COLUMNS = [*SCORE_COLUMNS, "overlay"]

# Crops that the sanity checks are made on, one a clip.
_CHECKED = 48


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
        out: the folder to write to, new or made by this function; `explanations` in the run's folder when not given.
        config: what is explained.

    Returns:
        `out`, which holds:

        - `overlays/*.png` (a crop beside its overlay), `maps.npz` (`maps` (N, S, S) float32, `path` (N,)) and
          `explanations.csv` (the scores of these crops, and the overlay of each): as many real crops as of each
          manipulation, one a clip, each with what pointed to "fake";
        - `regions.csv`: attention by face region, with the column `network`; real crops are asked what pointed to
          "real", fakes what pointed to "fake", networks that know nothing what pointed to their own answer;
        - `masks.csv`: agreement with the masks of the manipulation, where there are any;
        - `layers.csv`: attention by region for every layer and method, one crop a clip;
        - `explanation.json`: all of these and the sanity checks, for the report.

    Raises:
        InputError: no detector in `run`, no such split, layer or method, crops gone or cut in another way, other
            things in `out`, or no way to write there.
    """
    run, faces_csv = Path(run), Path(faces_csv)
    out = run / run_files.EXPLANATIONS_FOLDER if out is None else Path(out)
    if config.data is not None and not Path(config.data).is_dir():
        raise InputError(f"{config.data}: no such folder; --data names the data set, in which the mask videos are")
    detector = load_detector(run, torch_device(config.device))
    faces = load_faces_for(detector, faces_csv, config.split)
    layer = check_choice(detector, config.layer, config.method)
    claim(out, _STAMP)
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
    write_record(out / run_files.EXPLANATION_FILE, summary)
    return out


def choose(faces: pd.DataFrame, limit: int) -> pd.DataFrame:
    """Crops to look at: the middle one of each clip, taking the methods (real counts as one) in turn up to `limit`."""
    ordered = faces.sort_values([*CLIP_KEY, "frame"])
    middles = pd.concat([clip.iloc[spread(1, len(clip))] for _, clip in ordered.groupby(CLIP_KEY, sort=True)])
    group = middles["method"].where(middles["label"] == 1, "")
    rounds = middles.groupby(group).cumcount()  # in which a crop is taken: its place within its method
    chosen = middles.assign(_round=rounds, _group=group).sort_values(["_round", "_group"], kind="stable").head(limit)
    return chosen.drop(columns=["_round", "_group"]).sort_values(["label", *CLIP_KEY]).reset_index(drop=True)


def _draw(detector: Detector, faces: pd.DataFrame, out: Path, config: ExplanationConfig) -> None:
    """Crops beside their overlays, and the maps themselves, as the network's input sees them."""
    scores = score(detector, faces, Scoring(device=config.device))
    maps = grad_cam(detector, heat_maps.inputs(detector, faces), config.layer, "fake", config.method)
    overlays = []
    for row, picture, heat in zip(faces.itertuples(), _picture_names(faces), maps, strict=True):
        name = f"{run_files.OVERLAYS_FOLDER}/{picture}.png"
        photo = read_crop(row.file).permute(1, 2, 0).numpy()
        with atomic_write(out / name) as temporary:
            Image.fromarray(np.hstack([photo, overlay(photo, heat)])).save(temporary)
        overlays.append(name)
    with atomic_write(out / run_files.MAPS_FILE) as temporary:
        np.savez_compressed(temporary, maps=maps, path=faces["path"].to_numpy(str))
    write_table(scores.assign(overlay=overlays), out / run_files.EXPLANATIONS_FILE, EXPLANATION_COLUMNS)


def _picture_names(faces: pd.DataFrame) -> list[str]:
    """What the overlay of each crop is called: after its clip, where no other one's would be called alike."""
    parts = list(faces[["label", *CLIP_KEY, "frame"]].astype(str).itertuples(index=False, name=None))
    # Of names with a "_" in them it cannot be told where one ends; JSON is no name, and is quoted.
    texts = ["_".join(one) if "_" not in one[1] + one[2] else json.dumps(one) for one in parts]
    names = components(texts)
    return [names[text] for text in texts]


def _attention(
    detector: Detector, faces: pd.DataFrame, data: Path | None, out: Path, config: ExplanationConfig
) -> dict[str, Any]:
    """Regions and masks, over all crops, for the detector and those that know nothing."""
    found = measure_attention(detector, faces, data, config)
    for reason, count in found.mask_problems.items():
        logger.warning("%d fakes without a mask: %s", count, reason)
    write_table(found.regions, out / run_files.REGIONS_FILE)
    write_table(found.masks, out / run_files.MASKS_FILE)
    return {"regions": _rows(found.regions), "masks": _rows(found.masks), "mask_problems": found.mask_problems}


def _checks(detector: Detector, faces: pd.DataFrame, out: Path, config: ExplanationConfig) -> dict[str, Any]:
    """The sanity checks, and every layer and method, on one crop a clip, at most so many."""
    some = choose(faces, _CHECKED)
    targets = [NAMES[label] for label in some["label"]]  # each is asked about its own label
    names, people = clip_names(some), people_drawn(some)
    question = Question(heat_maps.inputs(detector, some), targets, names, config.layer, config.method, people)
    shuffled = None
    if config.random_labels is not None:
        other = load_detector(config.random_labels, detector.device)
        shuffled = _rows(sanity_checks.detector_similarity(detector, other, question, RANDOM_LABELS))
    return {
        "sanity": {
            "crops": len(question.images),
            "cascading_randomisation": _rows(sanity_checks.cascading_randomisation(detector, question)),
            "random_labels": shuffled,
            "stability": _rows(sanity_checks.stability(detector, question)),
            "road": _rows(sanity_checks.road(detector, question)),
        },
        "layers": _layers(detector, some, question, out),
    }


def _layers(detector: Detector, faces: pd.DataFrame, question: Question, out: Path) -> list[dict[str, Any]]:
    """Attention by region at every depth and by every method."""
    tables = []
    for layer, method in itertools.product(detector.feature_layers, heat_maps.METHODS):
        maps = maps_at_size(grad_cam(detector, question.images, layer, question.targets, method))
        table = region_table(*region_shares(maps, landmarks_at_size(faces)), faces)
        tables.append(table.assign(layer=layer, method=method))
    table = pd.concat(tables, ignore_index=True)
    write_table(table, out / run_files.LAYERS_FILE)
    return _rows(table)


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table as JSON has it: what is not known (NaN) is null."""
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=6))
    return rows
