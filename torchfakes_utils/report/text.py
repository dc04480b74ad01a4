"""Numbers, intervals and sentences of a report, for page, model card, app and web page."""

from collections.abc import Callable, Mapping, Sequence

from torchfakes_utils.evaluation.results import Abstention, Answered, FrameCalibration, Interval, LevelMetrics
from torchfakes_utils.metrics.band import Band, Rate
from torchfakes_utils.models.decision import DISTANCE, Decision
from torchfakes_utils.report.contents import MapSimilarity, MaskAgreement, NetworkAttention, Removal, Report

LABELS = {
    "auc": "AUC", "average_precision": "average precision", "eer": "equal error rate", "tpr_at_fpr_1pct":
    "fakes found at 1 % false alarms", "tpr_at_fpr_5pct": "fakes found at 5 % false alarms", "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy", "fpr": "false alarms (reals called fake)",
    "fnr": "misses (fakes called real)", "loss": "log loss, nats", "brier": "Brier score",
}  # fmt: skip


def number(value: float | None, digits: int = 3) -> str:
    """A number; a dash for none."""
    return "–" if value is None else f"{value:.{digits}f}"


def bounds(row: NetworkAttention | MapSimilarity | MaskAgreement | Removal) -> Interval | None:
    """The interval between the two ends of a row, where there are any."""
    return None if row.low is None or row.high is None else (row.low, row.high)


def ends(found: Interval | None, digits: int = 3) -> str:
    """The two ends of an interval; a dash for none."""
    return "–" if found is None else f"{found[0]:.{digits}f} to {found[1]:.{digits}f}"


def interval(metrics: object, name: str, digits: int = 3) -> str:
    """A metric with its interval, of a class of `evaluation.results` that has both; or why there is none."""
    if getattr(metrics, name) is None:
        return f"not known ({getattr(metrics, 'reasons', {}).get(name, 'not measured')})"
    return with_ends(getattr(metrics, name), getattr(metrics, f"{name}_interval"), digits)


def with_ends(value: float | None, found: Interval | None, digits: int = 3) -> str:
    """A number with the two ends of its interval, as far as they are known; where there is no number, a dash alone."""
    return number(value, digits) + ("" if value is None or found is None else f" ({ends(found, digits)})")


def cell(metrics: object, name: str) -> str:
    """`interval` for a table: a dash, and why, where there is none."""
    if getattr(metrics, name) is None:
        return f"– {getattr(metrics, 'reasons', {}).get(name, '')}".strip()
    return interval(metrics, name)


def change(value: float | None, found: Interval | None) -> str:
    """A difference with its sign and its interval."""
    if value is None:
        return "–"
    text = f"{value:+.3f}" + (f" ({found[0]:+.3f} to {found[1]:+.3f})" if found else "")
    return text.replace("-", "−")


def listed(values: Mapping[str, object]) -> str:
    """Names and values in a line, without those that are not known."""
    return ", ".join(f"{name} {value}" for name, value in values.items() if value is not None)


def headline(report: Report) -> list[str]:
    """What has to be said first, in sentences."""
    clip, data = report.clip, report.data
    people = "person" if data.people == 1 else "people"
    return [
        f"{clip.n_real} real and {clip.n_fake} fake clips, {data.crops} crops of {data.people} {people}. "
        f"By clip: AUC {interval(clip, 'auc')}.",
        verdicts_given(report.abstention, report.decision),
        f"Were an answer forced on all of them, at the threshold of {clip.threshold:.3f}: balanced accuracy "
        f"{interval(clip, 'balanced_accuracy')} and accuracy {interval(clip, 'accuracy')}, where always answering "
        f"“fake” has {number(clip.always_fake_accuracy)}; {clip.confusion.fp} of {clip.n_real} real clips called fake, "
        f"{clip.confusion.fn} of {clip.n_fake} fakes missed.",
        f"Intervals are 95 %, {how_drawn(clip)}. They know nothing about cameras and forgeries that are not in these "
        "data, and an interval without width says that all of these clips were in order, not that all will be.",
    ]


def verdicts_given(found: Abstention, decision: Decision) -> str:
    """How many clips of a split are called what, in a sentence."""
    if decision.silence:
        return f"None of them gets a verdict: {decision.silence}."
    parts = [
        f"of {one.clips} {name} clips {one.fake.clips} {'is' if one.fake.clips == 1 else 'are'} called fake and "
        f"{one.real.clips} real"
        for name, one in found.answers.items()
    ]
    return f"Three answers: {'; '.join(parts)}; of the others it says that it cannot tell."


def percent(share: float | None, digits: int = 1) -> str:
    """A share in per cent; a dash for none."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def answered(one: Answered, of: int) -> str:
    """How many clips of a class get an answer, with the share by people and its interval."""
    return f"{one.clips} of {of}: {percent(one.share)} ({100 * one.low:.1f} to {percent(one.high)})"


def rate(found: Rate | None, kind: str) -> str:
    """How often a verdict was wrong in validation, for a table; `kind` is that of the clips, "real" or "fake"."""
    if found is None:
        return "not counted: too few people"
    return (
        f"{found.wrong} of {found.clips} {kind} clips: {percent(found.share)} ({100 * found.low:.1f} to "
        f"{percent(found.high)}), {found.people} {'person' if found.people == 1 else 'people or pairs'}"
    )


def limits(decision: Decision) -> list[tuple[str, str, str]]:
    """What is fixed on validation, as rows of a table: what it is, of a film, of one picture."""
    bands = decision.film, decision.photo

    def row(name: str, of: Callable[[Band], str]) -> tuple[str, str, str]:
        return name, of(bands[0]), of(bands[1])

    def fake_from(faces: int) -> Callable[[Band], str]:
        return lambda band: f"{band.from_of(faces):.3f}" if band.fake_from else "never"

    return [
        row("called fake from", fake_from(1)),
        *(row(f"called fake from, as one of {faces} faces", fake_from(faces)) for faces in (3, 10)),
        row("called real up to", lambda band: "never" if band.real_to is None else f"{band.real_to:.3f}"),
        row("real ones called fake", lambda band: rate(band.false_alarms, "real")),
        row("fakes called real", lambda band: rate(band.misses, "fake")),
        row("real ones without a verdict", lambda band: percent(band.silent_real)),
        row("fakes without a verdict", lambda band: percent(band.silent_fake)),
    ]


def sentence(text: str) -> str:
    """A line as a sentence of its own."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def ranges(decision: Decision) -> list[tuple[str, str, str]]:
    """Within what a crop has to lie to be judged: the quality, its least and its most."""

    def end(value: float | None) -> str:
        return number(value, 0 if value is None or abs(value) >= 10 else 2)

    names = {"outside": "outside of the picture (%)", "face": "face (px)", DISTANCE: "distance from training's faces"}
    return [(names.get(name, name), end(low), end(high)) for name, (low, high) in decision.ranges.items()]


def how_drawn(level: LevelMetrics) -> str:
    """What intervals come from drawing anew, and what that leaves out, in half a sentence."""
    if level.drawn_by == "clip":
        return (
            f"from drawing the {level.units} clips anew; nobody says who is in them, and where people recur the truth "
            "is wider"
        )
    groups = f"the {level.units} group{'s' * (level.units != 1)} of people"
    if level.drawn_by == "target":
        return (
            f"from drawing {groups} whose films these are anew, each with all clips; faces were swapped among all of "
            "them, which is left out, so that the truth is wider"
        )
    return f"from drawing {groups} who share a film anew, each with all its clips, real and fake"


def how_fixed(decision: Decision) -> str:
    """Where temperature and limits come from, in sentences."""
    if not decision.is_fixed:
        return "Neither temperature nor limits were ever fixed on data."
    known = f" What has to be known of that: {'; '.join(decision.notes)}." if decision.notes else ""
    return f"Temperature and limits were fixed on validation clips.{known}"


def temperature_helped(frame: FrameCalibration, temperature: float) -> str:
    """What the temperature did to the calibration, in sentences."""
    before, after = frame.ece_balanced_uncalibrated, frame.ece_balanced
    if temperature == 1:
        return "The temperature of 1 changes nothing."
    if before is None or after is None:
        return "It takes both classes to say more."
    word = "closer to" if after < before else "farther from"
    return (
        f"On this split the temperature takes the scores {word} what is so ({before:.3f} to {after:.3f}, were half of "
        "the crops fake). It was fitted on the people of the validation split, who are others."
    )


def own_findings(rows: Sequence[NetworkAttention]) -> str:
    """The regions where the trained network is above chance and above all that know nothing, in a sentence."""
    found = []
    for kind in ("real", "fake"):
        others = [row for row in rows if row.kind == kind and row.network != "trained"]
        names = [
            own.region for own in rows
            if own.kind == kind and own.network == "trained" and own.low is not None
            and own.low > max([1, *(row.high for row in others if row.region == own.region and row.high)])
        ]  # fmt: skip
        found.append(f"on {kind} faces {', '.join(names) or 'nothing'}")
    return (
        "A region is the network's own finding only where its interval lies above chance and above those of all "
        f"networks that know nothing: {'; '.join(found)}."
    )
