"""What an evaluation finds, as classes: from them `report.json` is written, read again and described.

All of it goes through JSON and back. A metric that cannot be computed is None, and `reasons` beside it says why.
"""

from dataclasses import dataclass, field
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from torchfakes_utils.metrics.intervals import DrawnBy
from torchfakes_utils.models.decision import Decision

# The bounds are for the schema; a value that rounding puts beyond them by its last digit is read none the less.
Share = Annotated[float, Meta(extra_json_schema={"minimum": 0, "maximum": 1})]
Count = Annotated[int, Meta(extra_json_schema={"minimum": 0})]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Interval = tuple[float, float]
Points = tuple[Share, ...]


@dataclass(frozen=True)
class Confusion:
    """Answers at the threshold; positive is fake."""

    tn: Count
    fp: Count
    fn: Count
    tp: Count


@dataclass(frozen=True)
class LevelMetrics:
    """The metrics of crops, or of clips; see `metrics.binary.binary_metrics`.

    Attributes:
        auc: area under the ROC curve.
        average_precision: of fakes.
        eer: equal error rate.
        tpr_at_fpr_1pct, tpr_at_fpr_5pct: share of fakes found where at most 1 % or 5 % of the reals are called fake.
        accuracy: share of right answers at the threshold.
        balanced_accuracy: mean of the shares of right answers among reals and among fakes.
        fpr: share of reals called fake.
        fnr: share of fakes called real.
        loss: mean binary cross-entropy, nats.
        brier: mean squared error of P(fake).
        always_fake_accuracy: the accuracy of answering "fake" to everything.
        predicted_fake_rate: share called fake.
        threshold: a score this high or higher is called fake.
        n, n_real, n_fake: crops or clips: all, real ones, fakes.
        reasons: why a metric or an interval is null, by its name.
        drawn_by: what intervals draw anew: people who share a film, with all their clips ("person"); those whose film
            it is, where swaps link all people ("target"); or clips, where nobody is known.
        units: how many of them there are.
        *_interval: low and high end at 95 %.
    """

    auc: Share | None
    average_precision: Share | None
    eer: Share | None
    tpr_at_fpr_1pct: Share | None
    tpr_at_fpr_5pct: Share | None
    accuracy: Share | None
    balanced_accuracy: Share | None
    fpr: Share | None
    fnr: Share | None
    loss: Annotated[float, Meta(extra_json_schema={"minimum": 0})] | None
    brier: Share | None
    always_fake_accuracy: Share | None
    predicted_fake_rate: Share | None
    confusion: Confusion
    threshold: Share
    n: Count
    n_real: Count
    n_fake: Count
    reasons: dict[str, str]
    drawn_by: DrawnBy
    units: Count
    auc_interval: Interval | None
    average_precision_interval: Interval | None
    eer_interval: Interval | None
    tpr_at_fpr_1pct_interval: Interval | None
    tpr_at_fpr_5pct_interval: Interval | None
    accuracy_interval: Interval | None
    balanced_accuracy_interval: Interval | None
    fpr_interval: Interval | None
    fnr_interval: Interval | None
    loss_interval: Interval | None
    brier_interval: Interval | None


@dataclass(frozen=True)
class MethodMetrics(LevelMetrics):
    """A manipulation's clips against the real clips of their own data source.

    Attributes:
        recall: share of its own clips called fake.
        clips, frames: its own.
        reals: which real clips these are, by their `method`; empty where none is of its source.
    """

    recall: Share
    clips: Count
    frames: Count
    reals: tuple[str, ...]


@dataclass(frozen=True)
class Aggregation:
    """A way to make one score of a clip's crops, by what needs no threshold; by clip, as in `LevelMetrics`.

    Attributes:
        auc_minus_mean: its AUC less that of the mean, which verdicts rest on, on the same clips.
        *_interval: low and high end at 95 %, drawn as in `LevelMetrics`.
    """

    auc: Share | None
    average_precision: Share | None
    eer: Share | None
    loss: float | None
    brier: Share | None
    auc_interval: Interval | None
    average_precision_interval: Interval | None
    eer_interval: Interval | None
    loss_interval: Interval | None
    brier_interval: Interval | None
    auc_minus_mean: float | None
    auc_minus_mean_interval: Interval | None


@dataclass(frozen=True)
class Bin:
    """The scores from `low` to `high`: how many, what they say (their mean P(fake)), and the share that is fake."""

    low: Share
    high: Share
    count: Count
    predicted: Share
    fake: Share


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Whether scores keep their word.

    Attributes:
        ece: expected calibration error: mean distance between what scores say and what is so. Of few scores too high.
        ece_balanced: the same, were half of them fake.
        ece_if_calibrated, ece_balanced_if_calibrated: what a detector that keeps its word would get, on average, with
            these scores.
        *_interval: low and high end at 95 %, drawn as in `LevelMetrics`.
        bins: ranges that hold scores, as the split is.
        reasons: why one of them is null; absent where none is.
    """

    ece: Share | None
    ece_balanced: Share | None
    ece_interval: Interval | None
    ece_balanced_interval: Interval | None
    ece_if_calibrated: Share | None
    ece_balanced_if_calibrated: Share | None
    bins: tuple[Bin, ...]
    reasons: dict[str, str] | UnsetType = UNSET


@dataclass(frozen=True, kw_only=True)
class FrameCalibration(Calibration):
    """That of crops, on which the temperature was fitted; uncalibrated is at temperature 1."""

    ece_uncalibrated: Share | None
    ece_balanced_uncalibrated: Share | None


@dataclass(frozen=True)
class Calibrations:
    """By crop and by clip."""

    frame: FrameCalibration
    clip: Calibration


@dataclass(frozen=True)
class RocCurve:
    """Points of a ROC curve: shares of reals, and of fakes, that are called fake."""

    fpr: Points
    tpr: Points


@dataclass(frozen=True)
class PrecisionRecallCurve:
    """Points of a precision–recall curve, of fakes."""

    recall: Points
    precision: Points


@dataclass(frozen=True)
class Curves:
    """By clip; null where there is one class only."""

    roc: RocCurve | None
    precision_recall: PrecisionRecallCurve | None


@dataclass(frozen=True)
class RiskCoverage:
    """Were only the surest answers given: their share of all, rising to 1, and the share of them that is wrong."""

    coverage: Points
    risk: Points


@dataclass(frozen=True)
class Answered:
    """Clips of a class that get one of the answers.

    Attributes:
        clips: how many.
        share: of the class, the mean over people.
        low, high: its 95 % interval, exact for so many people (Clopper and Pearson, Biometrika 1934).
    """

    clips: Count
    share: Share
    low: Share
    high: Share


@dataclass(frozen=True)
class Answers:
    """What the clips of one class that show a face are called, at the limits that were fixed on validation.

    Attributes:
        clips, people: all of the class; the people, or pairs of them, in these.
        fake, real: called so.
        between: cannot tell, for the score lies between the limits.
        unlike: cannot tell, for no crop is like those of training.
    """

    clips: Count
    people: Count
    fake: Answered
    real: Answered
    between: Answered
    unlike: Answered


@dataclass(frozen=True)
class Abstention:
    """What is gained, and given up, where the detector answers "cannot tell".

    Attributes:
        clips, no_face: all of them; those without a face.
        judged, coverage: clips with a crop like those of training, and their share.
        called: clips that are called fake or real.
        crops, crops_judged: that were scored; of them like those of training.
        reasons: crops by the reason why they get no answer.
        accuracy, balanced_accuracy: of the judged clips, were an answer forced at the threshold.
        answers: by class, "real" and "fake", as far as there are clips of it.
        risk_coverage: were the score alone to decide which clips are judged.
    """

    clips: Count
    judged: Count
    coverage: Share
    no_face: Count
    called: Count
    crops: Count
    crops_judged: Count
    reasons: dict[str, int]
    accuracy: Share | None
    balanced_accuracy: Share | None
    answers: dict[str, Answers]
    risk_coverage: RiskCoverage


@dataclass(frozen=True)
class Summary:
    """What the scores of one split say.

    Attributes:
        frame: crops taken one by one; intervals still by person, or by clip.
        clip: clips, scored by the mean of their crops: the numbers to quote.
        compressions: each compression's own clips.
        aggregations: ways to make one score of a clip's crops.
        curves: by clip, at most 200 points each.
        decision: how logits become answers; fixed on validation, stored with the weights.
    """

    split: str
    frame: LevelMetrics
    clip: LevelMetrics
    methods: dict[str, MethodMetrics]
    compressions: dict[str, LevelMetrics]
    aggregations: dict[str, Aggregation]
    calibration: Calibrations
    curves: Curves
    decision: Decision
    abstention: Abstention


@dataclass(frozen=True)
class Spread:
    """A metric over runs that differ in their seed.

    Attributes:
        values: by run.
        interval: of the mean of these very runs at 95 %, drawn as in `LevelMetrics`; other seeds may differ more.
    """

    mean: float | None
    values: tuple[float | None, ...]
    interval: Interval | None


@dataclass(frozen=True)
class Seeds:
    """A recipe over its seeds: how many runs, and each metric by its name."""

    runs: Annotated[int, Meta(extra_json_schema={"minimum": 2})]
    metrics: dict[str, Spread]


@dataclass(frozen=True)
class Difference:
    """A metric of two detectors on the same clips.

    Attributes:
        first, second, difference: of this one; of the other; first less second. Of several runs the mean.
        interval: of the difference at 95 %, for these very runs, the same data sets drawn for both.
        better: share of the drawn data sets in which the first is the better one.
        reason: why something is null; absent where nothing is.
    """

    first: float | None
    second: float | None
    difference: float | None
    interval: Interval | None
    better: Share | None
    reason: str | UnsetType = UNSET


@dataclass(frozen=True)
class Comparison:
    """This detector against another: how many runs of each, and the means of each metric over them, by its name."""

    runs: tuple[int, int]
    metrics: dict[str, Difference]


@dataclass(frozen=True)
class DataDescription:
    """What was scored.

    Attributes:
        table, sha256: file name and digest of the table of crops.
        name: of the data set.
        crops, unreadable: that were scored; that could not be read.
        clips, real_clips, fake_clips: all; of them real; of them fake, by manipulation.
        extraction: how the crops were cut, as far as it is known.
    """

    table: str
    name: str
    sha256: Sha256
    crops: Count
    unreadable: Count
    clips: Count
    real_clips: Count
    fake_clips: dict[str, int]
    compressions: tuple[str, ...]
    people: Count
    extraction: dict[str, int | float | str | None]


@dataclass(frozen=True)
class CrossData:
    """The detector on another data set, at the threshold that it has; as in `Summary`."""

    frame: LevelMetrics
    clip: LevelMetrics
    methods: dict[str, MethodMetrics]
    abstention: Abstention
    data: DataDescription


@dataclass(frozen=True)
class Measurement:
    """The detector on some crops, by clip, at its own threshold; as in `LevelMetrics`.

    Attributes:
        coverage: share of crops that get an answer.
        auc_change: the AUC less that of the unchanged crops, on the same clips.
        *_interval: low and high end at 95 %, drawn as in `LevelMetrics`.
    """

    auc: Share | None
    balanced_accuracy: Share | None
    fpr: Share | None
    fnr: Share | None
    loss: float | None
    auc_interval: Interval | None
    balanced_accuracy_interval: Interval | None
    fpr_interval: Interval | None
    fnr_interval: Interval | None
    loss_interval: Interval | None
    coverage: Share
    auc_change: float | None
    auc_change_interval: Interval | None


@dataclass(frozen=True)
class StrengthMeasurement(Measurement):
    """The same on crops that were changed, at this strength."""

    strength: float


@dataclass(frozen=True)
class PerturbationCurve:
    """A change from mild to harsh: its name for people, what a strength is, and five of them.

    Attributes:
        in_films: the frames of the film were changed, and the crops cut from these; else the crops as they are stored.
        left_out: clips whose film could not be used, and why; `auc_change` is of the others.
    """

    name: str
    unit: str
    strengths: tuple[StrengthMeasurement, ...]
    in_films: bool = False
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Robustness:
    """How the detector bears what happens to films: each perturbation by its short name.

    Attributes:
        frames: crops of a clip, at most.
        plain: the crops as they are.
        not_measured: what was asked for and cannot be measured, and why.
    """

    frames: Count
    clips: Count
    plain: Measurement
    perturbations: dict[str, PerturbationCurve]
    not_measured: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class OwnBoxes:
    """The detector on clips as `predict` sees their films: in frames of its choice, round faces that it finds itself.

    `faces.csv` cuts a fake where its original's face is, where the two show the same. Both ways are of the same clips.

    Attributes:
        reason: why it could not be measured; null where it was.
        of: clips of the split.
        taken: of these clips, those whose films were searched, evenly over labels and manipulations.
        clips: that were scored in both ways.
        crops: that were cut out of their films.
        crowded: clips in whose film several people were found; whoever is nearest the table's squares was scored.
        no_face: clips in whose film nobody was found there, and that are left out.
        overlap: median over the table's crops of the part that their square and the found one in the nearest frame
            share (intersection over union).
        left_out: clips whose film could not be used, and why.
        metrics: by clip, each by its name: `first` as `predict` finds the face, `second` as in `faces.csv`.
        intervals: of each `first` at 95 %, drawn as in `LevelMetrics`; empty where too few people are there.
    """

    reason: str | None
    of: Count = 0
    taken: Count = 0
    clips: Count = 0
    crops: Count = 0
    crowded: Count = 0
    no_face: tuple[str, ...] = ()
    overlap: Share | None = None
    left_out: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, Difference] = field(default_factory=dict)
    intervals: dict[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True)
class Turning:
    """How many verdicts on photos turn when these are changed; shares are means over people.

    Attributes:
        name: what is done to them.
        photos: that are compared, as they are and changed; `lost` are those in which the face is found no more.
        turned: share that turns from fake to real, or back; its 95 % interval is exact for so many people.
        turned_any: share whose verdict is another one, "cannot tell" and lost faces among them.
        difference: mean absolute difference of P(fake) where the face is found; null where it never is.
    """

    name: str
    photos: Count
    lost: Count
    turned: Share
    turned_interval: Interval
    turned_any: Share
    difference: Share | None


@dataclass(frozen=True)
class Stability:
    """How steady verdicts on photos are: frames of the films, as they are and with little changes, judged from scratch.

    Attributes:
        reason: why it could not be measured; null where it was.
        photos: in which the table's face is found again.
        people: units of clips that share nobody.
        answered: of the unchanged photos, those that are called fake or real.
        no_face: photos in which it is not found, and that are left out.
        left_out: clips whose film could not be used, and why.
        changes: each change by its short name.
        overall: all of them together.
    """

    reason: str | None
    photos: Count = 0
    people: Count = 0
    answered: Count = 0
    no_face: Count = 0
    left_out: dict[str, str] = field(default_factory=dict)
    changes: dict[str, Turning] = field(default_factory=dict)
    overall: Turning | None = None


@dataclass(frozen=True)
class Results(Summary):
    """A summary, and what else was asked for.

    Attributes:
        comparison: this one against another, on the same clips.
        cross_data: the detector on other data sets, by their names.
        own_boxes: clips as `predict` sees their films, against the crops of `faces.csv`.
        stability: how many verdicts on photos turn when these are changed a little.
    """

    seeds: Seeds | None
    comparison: Comparison | None
    cross_data: dict[str, CrossData] | None
    robustness: Robustness | None
    own_boxes: OwnBoxes | None
    stability: Stability | None
    data: DataDescription
