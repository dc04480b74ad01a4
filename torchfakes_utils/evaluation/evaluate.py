"""From a trained detector to numbers that can be believed: `scores.csv`, and what it says by frame, clip and method.

The headline is about crops that the detector never saw and that nothing was filtered from. The number to quote is the
one by clip: the frames of a clip are near copies, and a thousand of them are not a thousand measurements.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from torchfakes_utils.crops.table import load_faces_for, read_extraction
from torchfakes_utils.datasets.mini.config import MINI_FILE
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import EvaluationConfig, Scoring
from torchfakes_utils.evaluation.other_runs import load_other_runs, over_seeds
from torchfakes_utils.evaluation.results import CrossData, DataDescription, Results
from torchfakes_utils.evaluation.robustness import check_names, robustness
from torchfakes_utils.evaluation.scoring import fingerprint, score
from torchfakes_utils.evaluation.summary import summarise
from torchfakes_utils.io.files import sha256_of
from torchfakes_utils.io.tables import CLIP_KEY, FAILURE_COLUMNS, FAILURES_FILE, SCORED_COLUMNS, read_table, write_table
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
    validation = _validation(run, faces_csv, detector, config.scoring) if detector.decision == Decision() else None
    faces = load_faces_for(detector, faces_csv, config.split, config.scoring.frames)
    if validation is not None:
        detector.decision = decide(score(detector, validation, config.scoring))
        store_decision(best_folder(run), detector.decision)
        logger.warning(
            "%s had no threshold of its own: it is now %.3f, at temperature %.2f, from the validation split",
            run, detector.decision.threshold, detector.decision.temperature,
        )  # fmt: skip

    def scored(one: Detector) -> pd.DataFrame:
        return score(one, faces, config.scoring)

    if config.scores is None:
        scores = scored(detector)
        write_table(scores, run / SCORES_FILE, SCORED_COLUMNS)
    else:
        scores = _given_scores(config.scores, faces, detector)
    faceless = _faceless(faces_csv, config.split)
    summary = summarise(scores, config.split, detector.decision, config.replicates, faceless)
    if summary.clip.auc is None:
        logger.warning("split %r of %s: %s; what cannot be measured is null in the report",
                       config.split, faces_csv, summary.clip.reasons["auc"])  # fmt: skip
    seeds, comparison = over_seeds(detector, scores, others, scored, config.replicates)
    robust = None
    if config.perturb:
        robust = robustness(detector, faces, config.robustness, config.scoring, run / ROBUSTNESS_FILE)
    results = Results(
        **vars(summary),
        seeds=seeds,
        comparison=comparison,
        cross_data={_unique_name(table, config.cross): _on_other_data(detector, table, config)
                    for table in config.cross} or None,
        robustness=robust,
        data=describe(faces_csv, faces, scores),
    )  # fmt: skip
    return Evaluation(results, scores, faces, detector)


def describe(faces_csv: Path, faces: pd.DataFrame, scores: pd.DataFrame) -> DataDescription:
    """What was scored.

    Args:
        faces_csv: the table.
        faces: those of its rows that were to be scored.
        scores: of those that could be read.
    """
    clips = faces.drop_duplicates(CLIP_KEY)
    fakes = clips.loc[clips["label"] == 1, "method"].value_counts().sort_index()
    return DataDescription(
        table=faces_csv.name,
        name=_data_name(faces_csv),
        sha256=sha256_of(faces_csv),
        crops=len(scores),
        unreadable=len(faces) - len(scores),
        clips=len(clips),
        real_clips=int((clips["label"] == 0).sum()),
        fake_clips={str(name): int(count) for name, count in fakes.items()},
        compressions=tuple(sorted(map(str, faces["compression"].unique()))),
        people=int(clips.loc[clips["target_id"] != "", "target_id"].nunique()),
        extraction={name: value for name, value in read_extraction(faces_csv.parent).items()
                    if name in ("frames", "crop_scale", "size", "min_face", "min_probability")},
    )  # fmt: skip


def _validation(run: Path, faces_csv: Path, detector: Detector, scoring: Scoring) -> pd.DataFrame | None:
    """The crops that a detector without a threshold gets one from, where there are any."""
    try:
        return load_faces_for(detector, faces_csv, "val", scoring.frames)
    except InputError:
        logger.warning("%s has no threshold of its own, and the table no validation split: it is 0.5", run)
        return None


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
    return int((read_table(path, FAILURE_COLUMNS)["split"] == split).sum()) if path.is_file() else 0


def _on_other_data(detector: Detector, faces_csv: Path, config: EvaluationConfig) -> CrossData:
    """The detector on another data set, at the threshold that it has."""
    faces = load_faces_for(detector, faces_csv, config.split, config.scoring.frames)
    scores = score(detector, faces, config.scoring)
    faceless = _faceless(faces_csv, config.split)
    found = summarise(scores, config.split, detector.decision, config.replicates, faceless)
    return CrossData(found.frame, found.clip, found.methods, found.abstention, describe(faces_csv, faces, scores))


def _data_name(faces_csv: Path) -> str:
    """What a data set is called: Mini-FF++ by its name, others by their folder.

    That is the folder that the table of faces lies in, or the one above a folder "faces".
    """
    folder = faces_csv.resolve().parent
    name = folder.parent.name if folder.name == "faces" else folder.name
    is_mini = any((place / MINI_FILE).is_file() for place in (folder, folder.parent))
    return f"Mini-FF++ ({name})" if is_mini else name


def _unique_name(faces_csv: Path, tables: Sequence[Path]) -> str:
    """A data set's name among others, with the folders above where two are alike."""
    own = _data_name(faces_csv)
    alike = [_data_name(table) for table in tables].count(own)
    return own if alike == 1 else "/".join(faces_csv.resolve().parent.parts[-3:])
