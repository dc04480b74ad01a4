"""Any detector's thresholds, temperature, ranges and likeness, fixed on a table of one's own.

What a detector says is only as good as the data on which it was decided what its numbers mean. Thresholds are fixed on
clips that it has not learned from, of both classes, cut as its training crops were.
"""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from torchfakes_utils.crops.table import load_faces_for
from torchfakes_utils.evaluation.config import Scoring
from torchfakes_utils.evaluation.deciding import Known, decide_if_sound
from torchfakes_utils.evaluation.doubts import ALL
from torchfakes_utils.io.files import atomic_write, check_writable
from torchfakes_utils.metrics.binary import binary_metrics, by_clip
from torchfakes_utils.models.decision import USUAL_RATES, Decision, Rates
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.models.run_files import CARD_FILE, DETECTOR_FILE, LIKENESS_FILE, REPORT_FILE, best_folder
from torchfakes_utils.models.stored import store_decision, stored_decision


@dataclass(frozen=True)
class Calibrated:
    """What calibration has changed.

    Attributes:
        before, after: the decisions.
        clips: of each class, real and fake, that they were fixed on.
        metrics: of these clips under each, by name: `balanced_accuracy`, `fpr`, `fnr`, `loss`, `auc`; they flatter what
            was fixed on them.
        kept: the file that holds the detector's description as it was; None where it was like that, and nothing was
            written.
        notes: what else has to be known, a line each.
    """

    before: Decision
    after: Decision
    clips: tuple[int, int]
    metrics: dict[str, dict[str, float]]
    kept: Path | None
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """What machines get."""
        return {
            "real_clips": self.clips[0],
            "fake_clips": self.clips[1],
            **dataclasses.asdict(self.after),
            "before": dataclasses.asdict(self.before),
            "metrics": self.metrics,
            "kept": None if self.kept is None else str(self.kept),
        }


def calibrate(
    run: Path | str,
    faces_csv: Path | str,
    split: str = "val",
    scoring: Scoring = Scoring(),
    rates: Rates = USUAL_RATES,
) -> Calibrated:
    """Fix a detector's decision on a split of a table, and store it with the weights.

    The temperature is fitted on crops, the thresholds on clips as they are judged; ranges and likeness are those of
    the same crops. `detector.json` is replaced as a whole, and what it was stays beside it; where that is the same
    decision, nothing is written. A decision or a likeness that cannot be read is replaced, too.

    Args:
        run: a folder of a run or of a detector.
        faces_csv: a table of crops that the detector has not learned from.
        split: of it; "all" for a table of which the detector has learned nothing, such as photos of one's own.
        scoring: how crops are scored.
        rates: of wrong answers, that the thresholds keep to.

    Raises:
        InputError: no detector there, no such split, clips that it was trained on, one class only, too few clips, crops
            cut at another scale, a practice detector and other data than its own or the other way round, one that has
            no likeness, or a read-only folder.
    """
    best, faces_csv = best_folder(run), Path(faces_csv)
    detector = load_detector(best, decide_anew=True)
    faces = load_faces_for(detector, faces_csv, None if split == ALL else split, scoring.frames)
    check_writable(best)
    decided = decide_if_sound(detector, Path(run), Known(faces, faces_csv, split), scoring, rates)
    before, after, clips, doubts = detector.decision, decided.decision, decided.clips, decided.notes
    metrics = {name: _metrics(decided.scores, one) for name, one in (("before", before), ("after", after))}
    if _alike(before, after):
        note = "already calibrated so: thresholds, temperature and ranges are what they were, and nothing was written"
        return Calibrated(before, before, clips, metrics, None, (*doubts, note))
    kept = _keep(best)
    store_decision(best, after, decided.likeness)
    after = stored_decision(best)
    return Calibrated(before, after, clips, metrics, kept, (*doubts, *_notes(Path(run), metrics)))


def _alike(one: Decision, other: Decision) -> bool:
    """Whether two decisions answer alike: batches of another size move the last digits."""
    if one.caution != other.caution or one.ranges.keys() != other.ranges.keys():
        return False
    pairs: list[tuple[float | None, float | None]]
    pairs = [(one.threshold, other.threshold), (one.temperature, other.temperature)]
    pairs += [(one.false_alarms, other.false_alarms), (one.misses, other.misses)]
    for mine, theirs in ((one.photo, other.photo), (one.film, other.film)):
        if len(mine.fake_from) != len(theirs.fake_from):
            return False
        pairs += [(mine.real_to, theirs.real_to), *zip(mine.fake_from, theirs.fake_from, strict=True)]
    pairs += [both for name in one.ranges for both in zip(one.ranges[name], other.ranges[name], strict=True)]
    return all(a == b or (a is not None and b is not None and math.isclose(a, b, rel_tol=1e-4)) for a, b in pairs)


def _metrics(scores: pd.DataFrame, decision: Decision) -> dict[str, float]:
    """Of the clips, under a decision."""
    clips = by_clip(scores.assign(probability_fake=decision.probability(scores["logit"])))
    found = binary_metrics(clips["label"], clips["probability_fake"], decision.threshold)
    return {name: float(found[name]) for name in ("balanced_accuracy", "fpr", "fnr", "loss", "auc")}


def _keep(best: Path) -> Path:
    """Put copies of the detector's description and likeness beside them, under names that nothing has yet."""
    number = 1
    while (kept := best / f"detector.before-calibration-{number}.json").exists():
        number += 1
    copies = {DETECTOR_FILE: kept, LIKENESS_FILE: best / f"likeness.before-calibration-{number}.safetensors"}
    for name, copy in copies.items():
        if (best / name).is_file():
            with atomic_write(copy) as temporary:
                temporary.write_bytes((best / name).read_bytes())
    return kept


def _notes(run: Path, metrics: dict[str, dict[str, float]]) -> tuple[str, ...]:
    notes, (before, after) = [], (metrics["before"], metrics["after"])
    if after["balanced_accuracy"] <= before["balanced_accuracy"] and after["loss"] >= before["loss"]:
        was, now = (f"{one['balanced_accuracy']:.3f}, loss {one['loss']:.3f}" for one in (before, after))
        notes.append(
            f"nothing gained: these clips were judged as well before (balanced accuracy {was}; now {now}); what is "
            "refused, and why, is by these crops now"
        )
    if old := [str(path) for path in (run / REPORT_FILE, best_folder(run) / CARD_FILE) if path.is_file()]:
        notes.append(f"of the decision of before: {' and '.join(old)}; run `torchfakes evaluate` again")
    return tuple(notes)
