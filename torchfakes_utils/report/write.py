"""The report of a run: `report.json` for machines, `report.html` for people, and a model card beside the weights."""

import datetime
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from torchfakes_utils.crops.table import read_crop
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.evaluate import Evaluation
from torchfakes_utils.evaluation.scoring import fingerprint
from torchfakes_utils.explanation.heat_maps import of_faces, overlay
from torchfakes_utils.io.files import atomic_write
from torchfakes_utils.io.machine import torch_device
from torchfakes_utils.io.tables import CLIP_KEY, SCORED_COLUMNS, read_table
from torchfakes_utils.metrics.calibration import log_odds
from torchfakes_utils.models.detector import Detector, load_detector
from torchfakes_utils.models.provenance import provenance
from torchfakes_utils.models.run_files import (
    CARD_FILE,
    EXPLANATION_FILE,
    EXPLANATIONS_FOLDER,
    MISTAKES_FOLDER,
    PAGE_FILE,
    REPORT_FILE,
    SCORES_FILE,
    TRAINING_FILE,
    best_folder,
)
from torchfakes_utils.report.model_card import card
from torchfakes_utils.report.page import page

FORMAT = 1

# The worst mistakes that are shown, and how many of one clip.
_MISTAKES, _OF_A_CLIP = 20, 2
# Of a run's configuration, what says how its weights came about.
_TRAINING = (
    "pretrained", "tune", "epochs", "batch_size", "accumulate", "learning_rate", "schedule", "sampling",
    "crops_per_epoch", "methods", "min_sharpness", "augmentation", "random_labels", "seed",
)  # fmt: skip


def write(run: Path | str, evaluation: Evaluation, device: str = "auto") -> dict[str, Any]:
    """Write `report.json`, `report.html` and the pictures of the worst mistakes into a run's folder, and the model card
    (`README.md`) beside its best weights.

    Args:
        run: the folder that was evaluated.
        evaluation: from `evaluation.evaluate`.
        device: of the heat maps.

    Returns:
        What `report.json` holds; `docs/report.schema.json` describes it. What an earlier report of the same weights and
        crops holds beyond that (seeds, a comparison, other data sets, robustness) is kept.

    Raises:
        InputError: the folder cannot be written to.
    """
    run = Path(run)
    detector = evaluation.detector.to(torch_device(device))
    report = {
        "format": FORMAT,
        "name": run.resolve().name,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **evaluation.summary,
        "mistakes": _mistakes(run, detector, evaluation),
        "interpretation": _interpretation(run, detector),
        "detector": _describe(run, detector),
        "environment": _environment(detector),
    }
    report |= _measured_before(run, report)
    _put(run, report, evaluation.scores)
    return report


def refresh(run: Path | str) -> bool:
    """Put what `explanation.explain` has measured since into a run's report; False where there is no report.

    Raises:
        InputError: the report or its scores cannot be read, or the folder cannot be written to.
    """
    run = Path(run)
    if not (run / REPORT_FILE).is_file():
        return False
    report = read(run)
    interpretation = _interpretation(run, load_detector(run))
    _put(run, report | {"interpretation": interpretation}, read_table(run / SCORES_FILE, SCORED_COLUMNS))
    return True


def read(run: Path | str) -> dict[str, Any]:
    """The report of a run.

    Raises:
        InputError: there is none, or it is not one that this program writes.
    """
    path = Path(run) / REPORT_FILE
    try:
        report = dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; run `torchfakes evaluate`") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: not a report ({error}); run `torchfakes evaluate` again") from error
    if report.get("format") != FORMAT:
        raise InputError(f"{path}: a report of another version; run `torchfakes evaluate` again")
    return report


def _measured_before(run: Path, report: Mapping[str, Any]) -> dict[str, Any]:
    """What an earlier report of the same weights and crops holds, and this one was not asked for."""
    try:
        before = read(run)
    except InputError:
        return {}
    same = all(before.get(part, {}).get("sha256") == report[part]["sha256"] for part in ("detector", "data")) and all(
        before.get(part) == report[part] for part in ("split", "decision")
    )
    kept = ("seeds", "comparison", "cross_data", "robustness") if same else ()
    return {name: before[name] for name in kept if report[name] is None and before.get(name) is not None}


def _put(run: Path, report: Mapping[str, Any], scores: pd.DataFrame) -> None:
    texts = {
        run / REPORT_FILE: json.dumps(report, indent=1, allow_nan=False) + "\n",
        run / PAGE_FILE: page(report, scores[scores["split"] == report["split"]], run),
        best_folder(run) / CARD_FILE: card(report),
    }
    for path, text in texts.items():
        with atomic_write(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _mistakes(run: Path, detector: Detector, evaluation: Evaluation) -> list[dict[str, Any]]:
    """The crops that lie farthest on the wrong side, each with a picture beside the heat of its wrong answer."""
    scores, threshold = evaluation.scores, detector.decision.threshold
    wrong = (scores["probability_fake"] >= threshold) != (scores["label"] == 1)
    distance = np.abs(log_odds(scores["probability_fake"]) - log_odds(threshold))
    worst = scores[wrong].assign(_far=distance[wrong]).sort_values("_far", ascending=False, kind="stable")
    worst = worst[worst.groupby(CLIP_KEY).cumcount() < _OF_A_CLIP].head(_MISTAKES)
    if worst.empty:
        return []
    faces = evaluation.faces.set_index([*CLIP_KEY, "frame"]).loc[
        list(map(tuple, worst[[*CLIP_KEY, "frame"]].to_numpy()))
    ]
    said = ["fake" if label == 0 else "real" for label in worst["label"]]
    maps = of_faces(detector, faces, said)
    found = []
    for place, (row, file, heat) in enumerate(zip(worst.itertuples(), faces["file"], maps, strict=True), start=1):
        name = f"{MISTAKES_FOLDER}/{place:02d}.jpg"
        photo = read_crop(file).permute(1, 2, 0).numpy()
        with atomic_write(run / name) as temporary:
            Image.fromarray(np.hstack([photo, overlay(photo, heat)])).save(temporary, quality=88)
        found.append({
            "clip_id": row.clip_id, "method": row.method, "compression": row.compression, "frame": int(row.frame),
            "label": int(row.label), "probability_fake": float(row.probability_fake), "cannot_tell": row.cannot_tell,
            "picture": name,
        })  # fmt: skip
    return found


def _interpretation(run: Path, detector: Detector) -> dict[str, Any] | None:
    """What `explain` measured, if it was this detector."""
    try:
        found = json.loads((run / EXPLANATIONS_FOLDER / EXPLANATION_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("detector") == fingerprint(detector) else None


def _describe(run: Path, detector: Detector) -> dict[str, Any]:
    preprocessing = detector.preprocessing
    try:
        training = dict(json.loads((run / TRAINING_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        training = {}
    started = detector.config.pretrained or "random weights"
    known = {name: training[name] for name in _TRAINING if training.get(name) not in (None, False)}
    return {
        "architecture": detector.config.architecture,
        "size": preprocessing.size,
        "crop_scale": preprocessing.crop_scale,
        "parameters": sum(parameter.numel() for parameter in detector.parameters()),
        "sha256": detector.sha256,
        "epoch": detector.extra.get("epoch"),
        "training": {"started from": started} | {name: value for name, value in known.items() if name != "pretrained"},
    }


def _environment(detector: Detector) -> dict[str, Any]:
    made = provenance()
    device = torch.cuda.get_device_name() if detector.device.type == "cuda" else detector.device.type
    return {
        "torchfakes": made["versions"]["torchfakes"],
        "git_revision": made["git_revision"],
        "python": platform.python_version(),
        "torch": torch.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "device": device,
    }
