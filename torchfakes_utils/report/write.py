"""The report of a run: `report.json` for machines, `report.html` for people, and a model card beside the weights."""

import datetime
import json
import logging
import platform
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import torch
from PIL import Image

from torchfakes_utils.crops.table import read_crop
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.evaluate import Evaluation
from torchfakes_utils.evaluation.scoring import fingerprint
from torchfakes_utils.explanation.heat_maps import of_faces, overlay
from torchfakes_utils.io.files import atomic_write, check_no_device, check_no_link, check_replaceable, read_json
from torchfakes_utils.io.machine import torch_device
from torchfakes_utils.io.names import path_below
from torchfakes_utils.io.tables import CLIP_KEY, SCORED_COLUMNS, read_table
from torchfakes_utils.metrics.calibration import log_odds
from torchfakes_utils.models import run_files
from torchfakes_utils.models.detector import Detector, load_detector
from torchfakes_utils.models.provenance import made_by_others, provenance
from torchfakes_utils.report.contents import FORMAT, DetectorDescription, Environment, Interpretation, Mistake, Report
from torchfakes_utils.report.model_card import card
from torchfakes_utils.report.page import page
from torchfakes_utils.training.checkpoint import COMPUTED_IN

logger = logging.getLogger(__name__)

# The worst mistakes that are shown, and how many of one clip.
_MISTAKES, _OF_A_CLIP = 20, 2
# The comment in our pictures, by which they are known again, and how many bytes of a picture come before its end.
_MARK, _HEAD = b"made by torchfakes evaluate", 1000
# Of a run's configuration, what says how its weights came about.
_TRAINING = (
    "recipe", "tune", "epochs", "batch_size", "accumulate", "learning_rate", "schedule", "warmup_epochs", "sampling",
    "crops_per_epoch", "methods", "self_blended", "min_sharpness", "augmentation", "shared_draws", "random_labels",
    "seed", COMPUTED_IN,
)  # fmt: skip


CARD_BEGINNING = re.compile(r"---\n((?!---).*\n)*library_name: torchfakes\n")
# How what is written into a run's folder begins: nothing else is replaced.
_BEGINNINGS = {
    run_files.REPORT_FILE: re.compile(r'\{\s*"format": [0-9]+,\s*"name": '),
    run_files.PAGE_FILE: re.compile(
        r'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta name="generator" content="TorchFakes'
    ),
    run_files.CARD_FILE: CARD_BEGINNING,
}


def check_places(run: Path | str) -> None:
    """See before the work that a report can be written, and that nothing of somebody else's is lost by it.

    Raises:
        InputError: it cannot, or something would be.
    """
    run = Path(run)
    for path in _places(run):
        check_replaceable(path_below(run, path.relative_to(run)), _BEGINNINGS[path.name])
    try:
        listed = {one.picture for one in read(run).mistakes}
    except InputError:
        listed = set()
    for name in map(_picture, range(1, _MISTAKES + 1)):
        path = path_below(run, name)
        check_no_link(path)
        if path.exists() and name not in listed and not _is_our_picture(path):
            raise InputError(f"{path}: is there, and not what would be written; move it away")


def _picture(place: int) -> str:
    return f"{run_files.MISTAKES_FOLDER}/{place:02d}.jpg"


def _is_our_picture(path: Path) -> bool:
    try:
        check_no_device(path)
        with path.open("rb") as file:
            return _MARK in file.read(_HEAD)
    except (OSError, ValueError):
        return False


def _places(run: Path) -> tuple[Path, Path, Path]:
    """Where report, page and model card go."""
    return run / run_files.REPORT_FILE, run / run_files.PAGE_FILE, run_files.best_folder(run) / run_files.CARD_FILE


def write_report(run: Path | str, evaluation: Evaluation, device: str = "auto") -> Report:
    """Write `report.json`, `report.html` and the pictures of the worst mistakes into a run's folder, and the model card
    (`README.md`) beside its best weights.

    Args:
        run: the folder that was evaluated.
        evaluation: of it.
        device: of the heat maps.

    Returns:
        What `report.json` holds. What an earlier report of the same weights and crops holds beyond that (seeds, a
        comparison, other data sets, robustness, own boxes, stability) is kept.

    Raises:
        InputError: the folder cannot be written to.
    """
    run = Path(run)
    detector = evaluation.detector.to(torch_device(device))
    report = Report(
        format=FORMAT,
        name=run.resolve().name,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **vars(evaluation.results),
        mistakes=_mistakes(run, detector, evaluation),
        interpretation=_interpretation(run, detector),
        detector=_describe(run, detector),
        environment=_environment(detector),
    )
    report = replace(report, **_measured_before(run, report))
    _put(run, report, evaluation.scores)
    return report


def refresh(run: Path | str) -> bool:
    """Put what `explanation.explain` has measured since into a run's report; False where there is no report.

    Raises:
        InputError: the report or its scores cannot be read, or the folder cannot be written to.
    """
    run = Path(run)
    if not (run / run_files.REPORT_FILE).is_file():
        return False
    report = replace(read(run), interpretation=_interpretation(run, load_detector(run)))
    _put(run, report, read_table(run / run_files.SCORES_FILE, SCORED_COLUMNS))
    return True


def read(run: Path | str) -> Report:
    """The report of a run.

    Raises:
        InputError: there is none, or it is not one that this program writes.
    """
    path = Path(run) / run_files.REPORT_FILE
    try:
        return Report.from_json(read_json(path))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; run `torchfakes evaluate`") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a report ({error}); run `torchfakes evaluate` again") from error
    except ValueError as error:
        raise InputError(f"{path}: {error}; run `torchfakes evaluate` again") from error


def as_text(report: Report) -> str:
    """What is in `report.json`."""
    return json.dumps(report.to_json(), indent=1, allow_nan=False) + "\n"


def _measured_before(run: Path, report: Report) -> dict[str, Any]:
    """What an earlier report of the same weights and crops holds, and this one was not asked for."""
    try:
        before = read(run)
    except InputError:
        return {}
    facts = [(one.detector.sha256, one.data.sha256, one.split, one.decision) for one in (before, report)]
    if facts[0] != facts[1]:
        return {}
    kept = ("seeds", "comparison", "cross_data", "robustness", "own_boxes", "stability")
    found = {name: getattr(before, name) for name in kept if getattr(report, name) is None}
    # Asked for by default: films that have gone since take nothing back.
    if report.own_boxes and report.own_boxes.reason and before.own_boxes and not before.own_boxes.reason:
        found["own_boxes"] = before.own_boxes
    return found


def _put(run: Path, report: Report, scores: pd.DataFrame) -> None:
    check_places(run)
    texts = as_text(report), page(report, scores[scores["split"] == report.split], run), card(report)
    for path, text in zip(_places(run), texts, strict=True):
        with atomic_write(path) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _mistakes(run: Path, detector: Detector, evaluation: Evaluation) -> tuple[Mistake, ...]:
    """The crops that lie farthest on the wrong side, each with a picture beside the heat of its wrong answer."""
    scores, threshold = evaluation.scores, detector.decision.threshold
    wrong = (scores["probability_fake"] >= threshold) != (scores["label"] == 1)
    distance = np.abs(log_odds(scores["probability_fake"]) - log_odds(threshold))
    worst = scores[wrong].assign(_far=distance[wrong]).sort_values("_far", ascending=False, kind="stable")
    worst = worst[worst.groupby(CLIP_KEY).cumcount() < _OF_A_CLIP].head(_MISTAKES)
    if worst.empty:
        return ()
    key = [*CLIP_KEY, "frame"]
    faces = evaluation.faces.set_index(key).loc[list(worst[key].itertuples(index=False, name=None))]
    maps = of_faces(detector, faces, ["fake" if label == 0 else "real" for label in worst["label"]])
    found = []
    for place, (row, file, heat) in enumerate(zip(worst.itertuples(), faces["file"], maps, strict=True), start=1):
        name = _picture(place)
        photo = read_crop(file).permute(1, 2, 0).numpy()
        with atomic_write(path_below(run, name)) as temporary:
            Image.fromarray(np.hstack([photo, overlay(photo, heat)])).save(temporary, quality=88, comment=_MARK)
        found.append(Mistake(row.clip_id, row.method, row.compression, int(row.frame), 1 if row.label else 0,
                             float(row.probability_fake), row.cannot_tell, name))  # fmt: skip
    return tuple(found)


def _interpretation(run: Path, detector: Detector) -> Interpretation | None:
    """What `explain` measured, if it was this detector."""
    path = run / run_files.EXPLANATIONS_FOLDER / run_files.EXPLANATION_FILE
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Interpretation)
    except OSError:
        return None
    except ValueError as error:
        logger.warning("%s: not what `torchfakes explain` writes (%s); run it again", path, error)
        return None
    return found if found.detector == fingerprint(detector) else None


def _describe(run: Path, detector: Detector) -> DetectorDescription:
    try:
        training = dict(read_json(run / run_files.TRAINING_FILE))
    except (OSError, ValueError, TypeError):
        training = {}
    started = made_by_others(detector.extra) or {"started from": detector.config.pretrained or "random weights"}
    return DetectorDescription(
        architecture=detector.config.architecture,
        size=detector.preprocessing.size,
        crop_scale=detector.preprocessing.crop_scale,
        parameters=sum(parameter.numel() for parameter in detector.parameters()),
        sha256=detector.sha256,
        epoch=detector.extra.get("epoch"),
        training=started | {name: training[name] for name in _TRAINING if training.get(name) not in (None, False)},
    )


def _environment(detector: Detector) -> Environment:
    made = provenance()
    return Environment(
        torchfakes=made["versions"]["torchfakes"],
        git_revision=made["git_revision"],
        python=platform.python_version(),
        torch=str(torch.__version__),  # a `TorchVersion`
        system=f"{platform.system()} {platform.machine()}",
        device=torch.cuda.get_device_name() if detector.device.type == "cuda" else detector.device.type,
    )
