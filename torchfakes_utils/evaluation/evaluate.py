"""From a trained detector to numbers that can be believed: `scores.csv`, and what it says by frame, clip and method.

The headline is about crops that the detector never saw and that nothing was filtered from. The number to quote is the
one by clip: the frames of a clip are near copies, and a thousand of them are not a thousand measurements.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from torchfakes_utils.crops.table import load_faces_for
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import EvaluationConfig, Scoring
from torchfakes_utils.evaluation.data import load_data, unique_name
from torchfakes_utils.evaluation.other_runs import ScoredClips, load_other_runs, over_seeds
from torchfakes_utils.evaluation.results import CrossData, DataDescription, Results
from torchfakes_utils.evaluation.robustness import check_names, robustness
from torchfakes_utils.evaluation.scoring import fingerprint, score
from torchfakes_utils.evaluation.summary import summarise
from torchfakes_utils.io.tables import CLIP_KEY, SCORED_COLUMNS, read_table, write_table
from torchfakes_utils.metrics.binary import by_clip
from torchfakes_utils.models.decision import Decision, decide
from torchfakes_utils.models.detector import Detector, load_detector, store_decision
from torchfakes_utils.models.run_files import ROBUSTNESS_FILE, SCORES_FILE, best_folder

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        results: what the report says of it.
        scores: a row a crop, `SCORED_COLUMNS`.
        faces: the rows of faces.csv that were scored, with the column `file`.
        detector: whose scores they are.
    """

    results: Results
    scores: pd.DataFrame
    faces: pd.DataFrame
    detector: Detector


def evaluate(run: Path | str, faces_csv: Path | str, config: EvaluationConfig = EvaluationConfig()) -> Evaluation:
    """Score a split with a run's best detector, write `scores.csv` into the run's folder, and measure.

    A detector without a threshold of its own gets one first, from the table's validation split; it is stored with the
    weights and used by everything later.

    Args:
        run: a folder that `torchfakes train` wrote.
        faces_csv: the table of crops, cut as those that the detector was trained on; none of them is left out, however
            blurred.
        config: what is measured.

    Raises:
        InputError: no detector in `run`, no such split, crops gone or cut in another way, scores of something else, or
            a read-only folder.
    """
    run, faces_csv = Path(run), Path(faces_csv)
    if config.perturb:
        check_names(config.robustness)
    for table in config.cross:
        if table.resolve() == faces_csv.resolve():
            raise InputError(f"{table}: the table that is evaluated anyway; --cross takes those of other data sets")
    detector = load_detector(run)
    others = load_other_runs(run, detector, config.seeds, config.against)
    data = load_data(faces_csv, config.split, detector, config.scoring.frames)
    if detector.decision == Decision():
        detector.decision = _decision_from_validation(run, detector, faces_csv, config.scoring)
    if config.scores is None:
        scores = score(detector, data.faces, config.scoring)
        write_table(scores, run / SCORES_FILE, SCORED_COLUMNS)
    else:
        scores = _given_scores(config.scores, data.faces, detector)
    summary = summarise(scores, config.split, detector.decision, config.replicates, data.faceless)
    if summary.clip.auc is None:
        logger.warning("split %r of %s: %s; what cannot be measured is null in the report",
                       config.split, faces_csv, summary.clip.reasons["auc"])  # fmt: skip

    def scored(other: Detector) -> ScoredClips:
        return by_clip(score(other, data.faces, config.scoring)), other.decision.threshold

    seeds, comparison = over_seeds((by_clip(scores), detector.decision.threshold), others, scored, config.replicates)
    cross = {unique_name(table, config.cross): _on_other_data(detector, table, config) for table in config.cross}
    robust = None
    if config.perturb:
        robust = robustness(detector, data.faces, config.robustness, config.scoring, run / ROBUSTNESS_FILE)
    description = _as_read(data.description, scores)
    results = Results(**vars(summary), seeds=seeds, comparison=comparison, cross_data=cross or None, robustness=robust,
                      data=description)  # fmt: skip
    return Evaluation(results, scores, data.faces, detector)


def _decision_from_validation(run: Path, detector: Detector, faces_csv: Path, scoring: Scoring) -> Decision:
    """A threshold and a temperature for a detector that has none, stored with its weights."""
    try:
        validation = load_faces_for(detector, faces_csv, "val", scoring.frames)
    except InputError:
        logger.warning("%s has no threshold of its own, and the table no validation split: it is 0.5", run)
        return detector.decision
    decision = decide(score(detector, validation, scoring))
    store_decision(best_folder(run), decision)
    logger.warning(
        "%s had no threshold of its own: it is now %.3f, at temperature %.2f, from the validation split",
        run, decision.threshold, decision.temperature,
    )  # fmt: skip
    return decision


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


def _on_other_data(detector: Detector, faces_csv: Path, config: EvaluationConfig) -> CrossData:
    """The detector on another data set, at the threshold that it has."""
    data = load_data(faces_csv, config.split, detector, config.scoring.frames)
    scores = score(detector, data.faces, config.scoring)
    found = summarise(scores, config.split, detector.decision, config.replicates, data.faceless)
    description = _as_read(data.description, scores)
    return CrossData(found.frame, found.clip, found.methods, found.abstention, description)


def _as_read(description: DataDescription, scores: pd.DataFrame) -> DataDescription:
    """A description that knows which of the crops could be read."""
    return replace(description, crops=len(scores), unreadable=description.crops - len(scores))
