"""From a trained detector to numbers that can be believed: `scores.csv`, and what it says by frame, clip and method.

The headline is about crops that the detector never saw and that nothing was filtered from. The number to quote is the
one by clip: the frames of a clip are near copies, and a thousand of them are not a thousand measurements.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from torchfakes_utils.crops.table import load_faces_for, read_extraction
from torchfakes_utils.datasets.mini.build import MINI_FILE
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import EvaluationConfig, Scoring
from torchfakes_utils.evaluation.robustness import check_names, robustness
from torchfakes_utils.evaluation.scoring import fingerprint, score
from torchfakes_utils.evaluation.summary import abstention, summarise
from torchfakes_utils.io.files import sha256_of
from torchfakes_utils.io.tables import CLIP_KEY, FAILURE_COLUMNS, FAILURES_FILE, SCORED_COLUMNS, read_table, write_table
from torchfakes_utils.metrics.binary import by_clip
from torchfakes_utils.metrics.intervals import compare, over_runs
from torchfakes_utils.models.decision import Decision, decide
from torchfakes_utils.models.detector import Detector, load_detector, store_decision
from torchfakes_utils.models.run_files import ROBUSTNESS_FILE, SCORES_FILE, TRAINING_FILE, best_folder
from torchfakes_utils.training.config import FREE_FIELDS

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        summary: everything that JSON can hold; see `evaluate`.
        scores: a row a crop, `SCORED_COLUMNS`.
        faces: the rows of faces.csv that were scored, with the column `file`.
        detector: whose scores they are.
        unreadable: crops that could not be read.
    """

    summary: dict[str, Any]
    scores: pd.DataFrame
    faces: pd.DataFrame
    detector: Detector
    unreadable: int


def evaluate(run: Path | str, faces_csv: Path | str, config: EvaluationConfig = EvaluationConfig()) -> Evaluation:
    """Score a split with a run's best detector, write `scores.csv` into the run's folder, and measure.

    A detector without a threshold of its own gets one first, from the table's validation split; it is stored with the
    weights and used by everything later.

    Args:
        run: a folder that `torchfakes train` wrote.
        faces_csv: the table of crops, cut as those that the detector was trained on; none of them is left out, however
            blurred.
        config: what is measured.

    Returns:
        Whose `summary` holds what `summarise` gives, and further "decision" (how answers are made), "abstention" (what
        is gained where it answers "cannot tell"), "seeds", "comparison", "cross_data", "robustness" (each None where it
        was not asked for), and "data" (what was scored).

    Raises:
        InputError: no detector in `run`, no such split, crops gone or cut in another way, scores of something else, or
            a read-only folder.
    """
    run, faces_csv = Path(run), Path(faces_csv)
    if config.perturb:
        check_names(config.robustness)
    detector = load_detector(run)
    others = _load_others(run, faces_csv, detector, config)
    faces = load_faces_for(detector, faces_csv, config.split, config.scoring.frames)
    _settle_decision(run, detector, faces_csv, config.scoring)
    if config.scores is None:
        scores = score(detector, faces, config.scoring)
        write_table(scores, run / SCORES_FILE, SCORED_COLUMNS)
    else:
        scores = _given_scores(config.scores, faces, detector)
    summary = summarise(scores, config.split, detector.decision, config.replicates)
    if summary["clip"]["auc"] is None:
        why = summary["clip"]["reasons"]["auc"]
        logger.warning(
            "split %r of %s: %s; what cannot be measured is null in the report", config.split, faces_csv, why
        )
    summary["decision"] = detector.decision.to_json()
    summary["abstention"] = abstention(scores, detector.decision.threshold, _faceless(faces_csv, config.split))
    summary |= _beside_others(by_clip(scores), detector, others, faces, config)
    summary["cross_data"] = {
        _unique_name(table, config.cross): _elsewhere(detector, table, config) for table in config.cross
    } or None
    summary["robustness"] = None
    if config.perturb:
        summary["robustness"] = robustness(detector, faces, config.robustness, config.scoring, run / ROBUSTNESS_FILE)
    summary["data"] = describe_data(faces_csv, faces, len(faces) - len(scores))
    return Evaluation(summary, scores, faces, detector, len(faces) - len(scores))


def describe_data(faces_csv: Path, faces: pd.DataFrame, unreadable: int = 0) -> dict[str, Any]:
    """What was scored: the table's fingerprint, and what is in it."""
    clips = faces.drop_duplicates(CLIP_KEY)
    return {
        "table": faces_csv.name,
        "name": _data_name(faces_csv),
        "sha256": sha256_of(faces_csv),
        "crops": len(faces) - unreadable,
        "unreadable": unreadable,
        "clips": len(clips),
        "real_clips": int((clips["label"] == 0).sum()),
        "fake_clips": {str(name): int(count) for name, count in
                       clips.loc[clips["label"] == 1, "method"].value_counts().sort_index().items()},
        "compressions": sorted(map(str, faces["compression"].unique())),
        "people": int(clips.loc[clips["target_id"] != "", "target_id"].nunique()),
        "extraction": {name: value for name, value in read_extraction(faces_csv.parent).items()
                       if name in ("frames", "crop_scale", "size", "min_face", "min_probability")},
    }  # fmt: skip


# --- what the parts of an evaluation need


def _load_others(run: Path, faces_csv: Path, detector: Detector, config: EvaluationConfig) -> dict[Path, Detector]:
    """The other runs' detectors, by their folder.

    Comparisons that would say nothing are refused: with oneself, or of runs of unlike recipes under one name.

    Raises:
        InputError: which run or table, and why.
    """
    for table in config.cross:
        if Path(table).resolve() == faces_csv.resolve():
            raise InputError(f"{table}: the table that is evaluated anyway; --cross takes those of other data sets")
    others = {other: load_detector(other) for other in (*config.seeds, *config.against)}
    known = {fingerprint(detector): run}
    for other in (*config.seeds, *config.against):
        weights = fingerprint(others[other])
        if weights in known:
            raise InputError(f"{other}: the same weights as in {known[weights]}; name each run once")
        known[weights] = other
    for group in ((run, *config.seeds), config.against):
        for other in group[1:]:
            unlike = _unlike(group[0], other)
            if unlike:
                raise InputError(
                    f"{other}: another recipe than {group[0]} (it differs in {', '.join(unlike)}); runs that are taken "
                    "together may differ in their seed only. To compare recipes use --against"
                )
    return others


def _unlike(run: Path, other: Path) -> list[str]:
    """In which choices, beside the seed, two runs differ, as far as their folders tell."""
    try:
        one, two = (json.loads((Path(each) / TRAINING_FILE).read_text(encoding="utf-8")) for each in (run, other))
    except (OSError, ValueError):
        return []
    left_out = {"seed", "versions", "git_revision", *FREE_FIELDS}
    return sorted(name for name in {*one, *two} - left_out if one.get(name) != two.get(name))


def _settle_decision(run: Path, detector: Detector, faces_csv: Path, scoring: Scoring) -> None:
    """Give a detector that has none a threshold and a temperature, from validation."""
    if detector.decision != Decision():
        return
    try:
        validation = load_faces_for(detector, faces_csv, "val", scoring.frames)
    except InputError:
        logger.warning("%s has no threshold of its own, and the table no validation split: it is 0.5", run)
        return
    detector.decision = decide(score(detector, validation, scoring))
    store_decision(best_folder(run), detector.decision)
    logger.warning(
        "%s had no threshold of its own: it is now %.3f, at temperature %.2f, from the validation split",
        run, detector.decision.threshold, detector.decision.temperature,
    )  # fmt: skip


def _given_scores(path: Path, faces: pd.DataFrame, detector: Detector) -> pd.DataFrame:
    """Scores that were made before, if they are of these crops and of this detector."""
    scores = read_table(path, SCORED_COLUMNS)
    scores = scores[scores["split"].isin(faces["split"].unique())].reset_index(drop=True)
    other = sorted(set(scores["detector"]) - {fingerprint(detector)})
    if other:
        raise InputError(f"{path}: scores of another detector ({other[0]}, not {fingerprint(detector)}); score again")
    keys = [*CLIP_KEY, "frame", "path", "label"]
    matched = scores.merge(faces[keys], on=keys, how="inner", validate="one_to_one")
    if len(scores) != len(faces) or len(matched) != len(faces):
        raise InputError(
            f"{path}: scores of other crops ({len(scores)}, of which {len(matched)} are among the {len(faces)} of this "
            "table and split); score again"
        )
    logits = pd.to_numeric(scores["logit"], errors="coerce")
    if not np.isfinite(logits).all():
        raise InputError(f"{path}: {int((~np.isfinite(logits)).sum())} scores are not numbers; score again")
    return scores.assign(logit=logits, probability_fake=detector.decision.probability(logits))


def _faceless(faces_csv: Path, split: str) -> int:
    """Clips of a split in which no face was found, as far as the extraction has told."""
    path = faces_csv.parent / FAILURES_FILE
    if not path.is_file():
        return 0
    failures = read_table(path, FAILURE_COLUMNS)
    return int((failures["split"] == split).sum())


def _beside_others(
    clips: pd.DataFrame,
    detector: Detector,
    others: Mapping[Path, Detector],
    faces: pd.DataFrame,
    config: EvaluationConfig,
) -> dict[str, Any]:
    """The recipe over its seeds, and against another one."""

    def scored(run: Path) -> tuple[pd.DataFrame, float]:
        return by_clip(score(others[run], faces, config.scoring)), others[run].decision.threshold

    ours = [(clips, detector.decision.threshold), *map(scored, config.seeds)]
    theirs = [scored(run) for run in config.against]
    result: dict[str, Any] = {"seeds": None, "comparison": None}
    if len(ours) > 1:
        tables, thresholds = zip(*ours, strict=True)
        result["seeds"] = {"runs": len(ours), "metrics": over_runs(tables, thresholds, config.replicates)}
    if theirs:
        first, second = _mean_clips(ours), _mean_clips(theirs)
        metrics = compare(first[0], second[0], (first[1], second[1]), config.replicates)
        result["comparison"] = {"runs": [len(ours), len(theirs)], "metrics": metrics}
    return result


def _mean_clips(runs: Sequence[tuple[pd.DataFrame, float]]) -> tuple[pd.DataFrame, float]:
    """Several runs as one: the means of their scores and of their thresholds."""
    clips = [table.sort_values(CLIP_KEY).reset_index(drop=True) for table, _ in runs]
    mean = np.mean([table["probability_fake"].to_numpy(float) for table in clips], axis=0)
    return clips[0].assign(probability_fake=mean), float(np.mean([threshold for _, threshold in runs]))


def _elsewhere(detector: Detector, faces_csv: Path, config: EvaluationConfig) -> dict[str, Any]:
    """The detector on another data set, at the threshold that it has."""
    faces = load_faces_for(detector, faces_csv, config.split, config.scoring.frames)
    scores = score(detector, faces, config.scoring)
    summary = summarise(scores, config.split, detector.decision, config.replicates)
    kept = {name: summary[name] for name in ("frame", "clip", "methods")}
    return kept | {
        "abstention": abstention(scores, detector.decision.threshold, _faceless(Path(faces_csv), config.split)),
        "data": describe_data(Path(faces_csv), faces, len(faces) - len(scores)),
    }


def _data_name(faces_csv: Path) -> str:
    """What a data set is called: Mini-FF++ by its name, others by their folder.

    That is the folder that the table of faces lies in, or the one above a folder "faces".
    """
    folder = Path(faces_csv).resolve().parent
    name = folder.parent.name if folder.name == "faces" else folder.name
    is_mini = any((place / MINI_FILE).is_file() for place in (folder, folder.parent))
    return f"Mini-FF++ ({name})" if is_mini else name


def _unique_name(table: Path, tables: Sequence[Path]) -> str:
    """A data set's name in the report, with the folder above where two are alike."""
    names = [_data_name(each) for each in tables]
    own = _data_name(table)
    return own if names.count(own) == 1 else "/".join(Path(table).resolve().parent.parts[-3:])
