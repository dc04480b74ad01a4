"""From a trained detector to numbers that can be believed: `scores.csv`, and what it says by frame, clip and method.

The headline is about crops that the detector never saw and that nothing was filtered from. The number to quote is the
one by clip: the frames of a clip are near copies, and a thousand of them are not a thousand measurements.
"""

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from torchfakes_utils.crops.scope import data_name
from torchfakes_utils.crops.table import load_faces_for, read_extraction
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import EvaluationConfig, Scoring
from torchfakes_utils.evaluation.deciding import Known, decide_if_sound
from torchfakes_utils.evaluation.films import NO_FILMS, Films, find_films
from torchfakes_utils.evaluation.own_boxes import own_boxes
from torchfakes_utils.evaluation.results import CrossData, DataDescription, Results, Summary
from torchfakes_utils.evaluation.robustness import check_names, robustness
from torchfakes_utils.evaluation.scoring import fingerprint, score
from torchfakes_utils.evaluation.stability import stability
from torchfakes_utils.evaluation.summary import ScoredClips, against_others, over_seeds, summarise
from torchfakes_utils.io.files import read_json, sha256_of
from torchfakes_utils.io.tables import (
    CLIP_KEY,
    FAILURE_COLUMNS,
    FAILURES_FILE,
    SCORED_COLUMNS,
    check_table,
    read_table,
    write_table,
)
from torchfakes_utils.metrics.binary import by_clip
from torchfakes_utils.models.decision import USUAL_RATES
from torchfakes_utils.models.detector import Detector, load_detector
from torchfakes_utils.models.likeness import digest
from torchfakes_utils.models.run_files import ROBUSTNESS_FILE, SCORES_FILE, STABILITY_FILE, TRAINING_FILE, best_folder
from torchfakes_utils.models.stored import store_decision
from torchfakes_utils.training.checkpoint import COMPUTED_IN
from torchfakes_utils.training.config import FREE_FIELDS

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

    A detector without a threshold of its own gets one first, from the table's validation split, unless what
    `calibrate` refuses speaks against it; it is stored with the weights and used by everything later.

    Args:
        run: a folder that `torchfakes train` wrote.
        faces_csv: the table of crops, cut as those that the detector was trained on; none of them is left out, however
            blurred.
        config: what is measured.

    Raises:
        InputError: no detector in `run`, no such split, crops gone or cut in another way, scores of something else, no
            table in the folder of films that is named, or a read-only folder.
    """
    run, faces_csv = Path(run), Path(faces_csv)
    if config.perturb:
        check_names(config.robustness)
    for table in config.cross:
        if table.resolve() == faces_csv.resolve():
            raise InputError(f"{table}: the table that is evaluated anyway; --cross takes those of other data sets")
    detector = load_detector(run)
    if config.scores is None:
        check_table(run / SCORES_FILE, SCORED_COLUMNS)
    seeds, against = _other_runs(run, detector, config)
    # All that may be refused is read before anything is scored, or said.
    faces = load_faces_for(detector, faces_csv, config.split, config.scoring.frames)
    elsewhere = {table: load_faces_for(detector, table, config.split, config.scoring.frames) for table in config.cross}
    given = None if config.scores is None else _given_scores(config.scores, faces, detector)
    films = _films(faces_csv, config)
    if not detector.decision.is_fixed:
        _fix_decision(run, faces_csv, detector, config.scoring)
    if given is None:
        scores = score(detector, faces, config.scoring)
        write_table(scores, run / SCORES_FILE, SCORED_COLUMNS)
    else:
        scores = given.assign(probability_fake=detector.decision.probability(given["logit"]))
    summary = _summary(detector, scores, faces_csv, config)
    if summary.clip.auc is None:
        logger.warning("split %r of %s: %s; what cannot be measured is null in the report",
                       config.split, faces_csv, summary.clip.reasons["auc"])  # fmt: skip

    def scored(one: Detector) -> ScoredClips:
        return by_clip(score(one, faces, config.scoring)), one.decision.threshold

    ours = [(by_clip(scores), detector.decision.threshold), *map(scored, seeds)]
    results = Results(
        **vars(summary),
        seeds=over_seeds(ours, config.replicates),
        comparison=against_others(ours, [scored(other) for other in against], config.replicates),
        cross_data={_unique_name(table, config.cross): _on_other_data(detector, table, other, config)
                    for table, other in elsewhere.items()} or None,
        robustness=robustness(detector, faces, config.robustness, config.scoring, run / ROBUSTNESS_FILE, films)
        if config.perturb else None,
        own_boxes=own_boxes(detector, (faces, scores), films, config.boxes, config.scoring, config.replicates)
        if config.own_boxes else None,
        stability=stability(detector, faces, films, config.steadiness, config.scoring, run / STABILITY_FILE)
        if config.stability else None,
        data=_description(faces_csv, faces, scores),
    )  # fmt: skip
    if results.stability is not None and results.stability.reason is not None:
        logger.warning("--stability: nothing could be measured: %s", results.stability.reason)
    return Evaluation(results, scores, faces, detector)


def _films(faces_csv: Path, config: EvaluationConfig) -> Films:
    """The films, as far as something needs them.

    Raises:
        InputError: as `find_films`, where somebody has asked for what needs them.
    """
    asked = config.perturb or config.stability or config.films is not None
    if not (asked or config.own_boxes):
        return NO_FILMS
    try:
        return find_films(faces_csv, config.films)
    except InputError as error:
        if asked:
            raise
        return Films(reason=str(error))


def _summary(detector: Detector, scores: pd.DataFrame, faces_csv: Path, config: EvaluationConfig) -> Summary:
    """What scores of a table say; clips without a face are counted as far as the extraction has told."""
    path = faces_csv.parent / FAILURES_FILE
    faceless = int((read_table(path, FAILURE_COLUMNS)["split"] == config.split).sum()) if path.is_file() else 0
    return summarise(scores, config.split, detector.decision, config.replicates, faceless)


def _description(faces_csv: Path, faces: pd.DataFrame, scores: pd.DataFrame) -> DataDescription:
    """What was to be scored, and how much of it could be read."""
    clips = faces.drop_duplicates(CLIP_KEY)
    fakes = clips.loc[clips["label"] == 1, "method"].value_counts().sort_index()
    return DataDescription(
        table=faces_csv.name,
        name=data_name(faces_csv),
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


def _other_runs(run: Path, detector: Detector, config: EvaluationConfig) -> tuple[list[Detector], list[Detector]]:
    """The detectors of further runs of the same recipe, and of those to compare with.

    Raises:
        InputError: a run is named twice, differs in more than its seed from those it is taken together with, or holds
            no detector.
    """
    others = {other: load_detector(other) for other in (*config.seeds, *config.against)}
    known = {fingerprint(detector): run}
    for other in (*config.seeds, *config.against):
        weights = fingerprint(others[other])
        if weights in known:
            raise InputError(f"{other}: the same weights as in {known[weights]}; name each run once")
        known[weights] = other
    for group in ((run, *config.seeds), config.against):
        for other in group[1:]:
            if differing := _differing(group[0], other):
                raise InputError(
                    f"{other}: another recipe than {group[0]} (it differs in {', '.join(differing)}); runs that are "
                    "taken together may differ in their seed only. To compare recipes use --against"
                )
    return [others[other] for other in config.seeds], [others[other] for other in config.against]


def _differing(run: Path, other: Path) -> list[str]:
    """In which choices, beside the seed, two runs differ, as far as their folders tell."""
    try:
        one, two = (dict(read_json(each / TRAINING_FILE)) for each in (run, other))
    except (OSError, ValueError, TypeError):
        return []
    left_out = {"seed", "versions", "git_revision", COMPUTED_IN, *FREE_FIELDS}
    # A choice that an older run did not have yet is not made there.
    return sorted(name for name in {*one, *two} - left_out if (one.get(name) or None) != (two.get(name) or None))


def _fix_decision(run: Path, faces_csv: Path, detector: Detector, scoring: Scoring) -> None:
    """Give a detector a decision of its own, with its weights, on the table's validation split, as `calibrate` would.

    Where `calibrate` would refuse, it is left as it is, and why is said.
    """
    try:
        validation = load_faces_for(detector, faces_csv, "val", scoring.frames)
        decided = decide_if_sound(detector, run, Known(validation, faces_csv, "val"), scoring, USUAL_RATES, "evaluate")
    except InputError as error:
        logger.warning("%s has no threshold of its own: it is 0.5, for none can be fixed here (%s)", run, error)
        return
    detector.likeness = decided.likeness
    detector.decision = dataclasses.replace(decided.decision, likeness=digest(decided.likeness))
    store_decision(best_folder(run), detector.decision, detector.likeness)
    logger.warning(
        "%s had no thresholds of its own: they are now fixed on the validation split (%.3f where an answer is forced, "
        "at temperature %.2f)", run, detector.decision.threshold, detector.decision.temperature,
    )  # fmt: skip
    for note in decided.notes:
        logger.warning("%s", note)


def _given_scores(path: Path, faces: pd.DataFrame, detector: Detector) -> pd.DataFrame:
    """Scores that were made before, if they are of these crops and of this detector; of which the logits count."""
    scores = read_table(path, SCORED_COLUMNS)
    scores = scores[scores["split"].isin(faces["split"].unique())].reset_index(drop=True)
    if other := sorted(set(scores["detector"]) - {fingerprint(detector)}):
        raise InputError(f"{path}: scores of another detector ({other[0]}, not {fingerprint(detector)}); score again")
    keys = [*CLIP_KEY, "frame", "path", "label"]
    matched = scores.merge(faces[keys], on=keys, how="inner")
    if len(scores) != len(faces) or len(matched) != len(faces) or scores.duplicated(keys).any():
        raise InputError(
            f"{path}: scores of other crops ({len(scores)}, of which {len(matched)} are among the {len(faces)} of this "
            "table and split); score again"
        )
    logits = pd.to_numeric(scores["logit"], errors="coerce")
    if wrong := int((~np.isfinite(logits)).sum()):
        raise InputError(f"{path}: {wrong} scores are not numbers; score again")
    return scores.assign(logit=logits)


def _on_other_data(detector: Detector, faces_csv: Path, faces: pd.DataFrame, config: EvaluationConfig) -> CrossData:
    """The detector on another data set, of which `faces` are scored, at the threshold that it has."""
    scores = score(detector, faces, config.scoring)
    found = _summary(detector, scores, faces_csv, config)
    return CrossData(found.frame, found.clip, found.methods, found.abstention, _description(faces_csv, faces, scores))


def _unique_name(faces_csv: Path, tables: Sequence[Path]) -> str:
    """A data set's name among others, with the folders above where two are alike."""
    own = data_name(faces_csv)
    alike = [data_name(table) for table in tables].count(own)
    return own if alike == 1 else "/".join(faces_csv.resolve().parent.parts[-3:])
