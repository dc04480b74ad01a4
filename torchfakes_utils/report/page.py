"""A report as one page that needs nothing else: figures and pictures are inside, and every figure has its numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.answering import judged_clips
from torchfakes_utils.evaluation.results import LevelMetrics
from torchfakes_utils.io.names import path_below
from torchfakes_utils.io.text import printable_lines
from torchfakes_utils.metrics.binary import by_clip
from torchfakes_utils.metrics.bootstrap import METRICS
from torchfakes_utils.models.decision import FEWEST_FRAMES
from torchfakes_utils.report import figures, text
from torchfakes_utils.report.blocks import Block, Picture, Table, drawn, embedded
from torchfakes_utils.report.contents import Interpretation, MapSimilarity, MaskAgreement, Report, Sanity
from torchfakes_utils.report.text import LABELS, bounds, cell, change, ends, listed, number, with_ends

_TEMPLATES = Path(__file__).parent / "templates"

# Clips that are left out are named, but not hundreds of them.
_NAMED = 5


def page(report: Report, scores: pd.DataFrame, folder: Path) -> str:
    """The page of a report, with the rows of `scores.csv` that it is of; `folder` is the run's, with its mistakes."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, finalize=_shown
    )
    sections = [
        ("verdicts", "What a verdict means", _verdicts(report, scores)),
        ("numbers", "The numbers", _numbers(report)),
        ("methods", "By manipulation and compression", _methods(report)),
        ("threshold", "Temperature and calibration", _calibration(report)),
        ("abstention", "When it does not answer", _abstention(report)),
        ("comparison", "Other seeds, other runs", [*_seeds(report), *_comparison(report)]),
        ("boxes", "As predict sees the films", _own_boxes(report)),
        ("stability", "Whether answers are steady", _stability(report)),
        ("robustness", "What happens to films", _robustness(report)),
        ("cross", "Other data sets", _cross(report)),
        ("mistakes", "The worst mistakes", _mistakes(report, folder)),
        ("interpretation", "Where it looks", _interpretation(report.interpretation)),
        ("made", "How it was made", _made(report)),
    ]
    return environment.get_template("report.html").render(
        title=f"{report.name}: is it good?",
        subtitle=f"Split “{report.split}” of {report.data.name} ({report.data.table}), {report.created[:10]}, "
        f"torchfakes {report.environment.torchfakes}",
        caution=report.decision.caution,
        headline=text.headline(report),
        sections=[section for section in sections if section[2]],
    )


def _shown(value: object) -> object:
    """A text of the page, in which what could steer a terminal that shows it is written as an escape.

    Scope, notes and names may be a stranger's. Markup is the page's own.
    """
    return printable_lines(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _verdicts(report: Report, scores: pd.DataFrame) -> list[Block]:
    """What the three answers are about, and how often each is given, and wrong."""
    decision, found = report.decision, report.abstention
    silent = [f"It never gives a verdict: {decision.silence}."] if decision.silence else []
    judged = judged_clips(scores)
    classes = found.answers.values()
    answers = [("called fake", [one.fake for one in classes]), ("called real", [one.real for one in classes]),
               ("cannot tell: between the limits", [one.between for one in classes]),
               ("cannot tell: unlike training", [one.unlike for one in classes])]  # fmt: skip
    rows = [(name, *(text.answered(part, one.clips) for part, one in zip(parts, classes, strict=True)))
            for name, parts in answers]  # fmt: skip
    rows.append(("people or pairs", *(f"{one.people}" for one in classes)))
    return [
        decision.meaning,
        text.sentence(decision.scope.line),
        *silent,
        *drawn(figures.scores(judged if len(judged) else by_clip(scores), decision.band(FEWEST_FRAMES)),
               "P(fake) of every clip, in rows by method, over the limits: " + "; ".join(
                   f"{name} {film}" for name, film, _ in (text.limits(decision)[0], text.limits(decision)[3])) + ".",
               "Every mark is a clip, by those of its crops that are like crops of training: blue circles are real, "
               "vermilion crosses fake. Shaded on the left is what is called real, on the right what is called fake; "
               "of what lies between, it cannot tell. The limits were fixed on other people's clips, of validation."),
        Table(f"Answers on this split: clips, and their share by people (exact 95 % interval); {found.no_face} more "
              "clips show no face", ["", *(f"{name} clips" for name in found.answers)], rows),
        Table("Limits, and how often verdicts were wrong in validation, on people that they were not fixed on (exact "
              "95 % interval)", ["", f"a film ({FEWEST_FRAMES} frames or more)", "one picture"],
              text.limits(decision)),
    ]  # fmt: skip


def _numbers(report: Report) -> list[Block]:
    frame, clip = report.frame, report.clip
    rows = [(LABELS[name], cell(clip, name), cell(frame, name)) for name in METRICS]
    rows += [("accuracy of always “fake”", number(clip.always_fake_accuracy), number(frame.always_fake_accuracy))]
    confusion = []
    for name, level in (("clip", clip.confusion), ("frame", frame.confusion)):
        confusion.append((f"real {name}", f"{level.tn:,}", f"{level.fp:,}"))
        confusion.append((f"fake {name}", f"{level.fn:,}", f"{level.tp:,}"))
    names = {"mean": "mean (the one that is used)"}
    ways = [
        (names.get(how, how), cell(row, "auc"), cell(row, "average_precision"), cell(row, "loss"),
         "" if how == "mean" else change(row.auc_minus_mean, row.auc_minus_mean_interval))
        for how, row in report.aggregations.items()
    ]  # fmt: skip
    return [
        Table(f"All metrics, with 95 % intervals, {text.how_drawn(clip)}", ["metric", "by clip", "by frame"], rows),
        *drawn(figures.curves(report.curves, clip),
               f"ROC curve, area {number(clip.auc)}, and precision–recall curve, average precision "
               f"{number(clip.average_precision)}, by clip.",
               "Left: each step to the right is a real clip that looks more fake than some fake. Right: precision "
               "depends on the share of fakes in these data, and is another where fakes are rarer."),
        Table(f"Right and wrong, were an answer forced at the threshold of {clip.threshold:.3f}",
              ["", "called real", "called fake"], confusion),
        Table("Ways to make one score of a clip's frames", ["way", "AUC", "average precision", "log loss",
              "AUC against the mean's"], ways),
    ]  # fmt: skip


def _methods(report: Report) -> list[Block]:
    columns = ["", "clips", "AUC", "average precision", "balanced accuracy", "misses"]

    def line(name: str, row: LevelMetrics, clips: str) -> tuple[str, ...]:
        return (name, clips, *(cell(row, one) for one in ("auc", "average_precision", "balanced_accuracy", "fnr")))

    levels = {"all": report.clip, **report.methods}
    chart = [(name, row.auc, row.auc_interval) for name, row in levels.items()]
    return [
        *drawn(figures.interval_rows(chart, "AUC by clip") if any(row[1] for row in chart) else None,
               "AUC by clip with its interval: " + "; ".join(f"{name} {number(value)}" for name, value, _ in chart),
               "Each manipulation's clips against the real clips of their own data source. Intervals that overlap "
               "do not rank manipulations."),
        Table("By manipulation, against the real clips of its own data source", columns,
              [line(name, row, f"{row.clips} against {row.n_real} real ({', '.join(row.reals) or 'none'})")
               for name, row in report.methods.items()]),
        Table("By compression, its own clips", columns,
              [line(name, row, f"{row.n}") for name, row in report.compressions.items()]),
    ]  # fmt: skip


def _calibration(report: Report) -> list[Block]:
    decision, frame, clip = report.decision, report.calibration.frame, report.calibration.clip
    rows = [
        (f"by {name}, {world}", number(before), with_ends(getattr(level, kind), getattr(level, f"{kind}_interval")),
         number(getattr(level, f"{kind}_if_calibrated")))
        for name, level, befores in (("frame", frame, (frame.ece_uncalibrated, frame.ece_balanced_uncalibrated)),
                                     ("clip", clip, (None, None)))
        for kind, world, before in zip(("ece", "ece_balanced"), ("as the split is", "were half of them fake"), befores,
                                       strict=True)
    ]  # fmt: skip
    return [
        f"P(fake) is sigmoid(logit / {decision.temperature:.2f}). {text.how_fixed(decision)} They are stored with the "
        "weights.",
        Table("Expected calibration error: mean distance between what a score says and what is so",
              ["", "without temperature", "with it (95 % interval)", "by chance alone, would it keep its word"], rows),
        "Few scores part from what is so by chance, and this error has no sign that could cancel out: the last column "
        "is what a detector that keeps its word would get, on average, with these scores.",
        text.temperature_helped(frame, decision.temperature),
        *drawn(figures.reliability(frame.bins, "crops"),
               "Reliability diagram by frame: " + "; ".join(
                   f"said {row.predicted:.2f}, fake {row.fake:.2f}, {row.count} crops" for row in frame.bins),
               "Of the crops in each range of scores, the share that is fake. Above the dotted line more are fake "
               "than the scores say: a network trained on halves meets a split with another share of fakes."),
    ]  # fmt: skip


def _abstention(report: Report) -> list[Block]:
    found, curve = report.abstention, report.abstention.risk_coverage
    classes = found.answers.values()
    unlike, between = (sum(part.clips for part in parts) for parts in
                       ([one.unlike for one in classes], [one.between for one in classes]))  # fmt: skip
    wrong = sum((one.fake if name == "real" else one.real).clips for name, one in found.answers.items())
    rule = (found.called / sum(one.clips for one in classes), wrong / found.called) if found.called else None
    return [
        f"{found.called} of {found.clips} clips are called fake or real. Of the others {found.no_face} showed no face, "
        f"{unlike} have not one crop like those of training ({found.crops - found.crops_judged} of {found.crops} crops "
        f"are unlike), and {between} lie between the limits. Were an answer forced on all clips with a crop like "
        f"training's: accuracy {number(found.accuracy)}, balanced accuracy {number(found.balanced_accuracy)}.",
        Table("Why crops get no answer", ["reason", "crops"],
              [(name, f"{count:,}") for name, count in found.reasons.items()]),
        Table("What crops looked like in training, a little widened; a crop beyond is not judged",
              ["quality", "from", "to"], text.ranges(report.decision)),
        *drawn(figures.risk_coverage(curve.coverage, curve.risk, rule, "clips"),
               f"Risk against coverage: with all clips answered the risk is {number(curve.risk[-1])}.",
               "Were only the surest answers given: how many of them would be wrong. The diamond is the rule that is "
               "in use: limits that were fixed on validation, and no answer to what is unlike training."),
    ]  # fmt: skip


def _seeds(report: Report) -> list[Block]:
    if report.seeds is None:
        return []
    rows = [
        (LABELS[name], ", ".join(map(number, row.values)), _range(row.values), with_ends(row.mean, row.interval))
        for name, row in report.seeds.metrics.items()
    ]
    columns = ["metric", "by run", "lowest to highest", "mean of these runs (95 % interval, of who was filmed)"]
    shown = [(LABELS[name], row) for name, row in report.seeds.metrics.items() if name != "loss"]
    return [
        *drawn(figures.runs(shown), "Metrics by clip, a dot a run: " + "; ".join(
                   f"{name} {', '.join(map(number, row.values))}" for name, row in shown),
               "How far runs of one recipe lie apart, beside how far their mean depends on who was filmed."),
        Table(f"{report.seeds.runs} runs of the same recipe, by clip: these runs; other seeds may differ more", columns,
              rows),
    ]  # fmt: skip


def _range(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return ends((min(known), max(known)) if known else None)


def _comparison(report: Report) -> list[Block]:
    if report.comparison is None:
        return []
    ours, theirs = report.comparison.runs
    rows = [
        (LABELS[name], number(row.first), number(row.second), change(row.difference, row.interval),
         "–" if row.better is None else f"{row.better:.0%}")
        for name, row in report.comparison.metrics.items()
    ]  # fmt: skip
    columns = ["metric", "this one", "the other", "difference", "share of resampled data sets in which it is better"]
    counts = [f"{count} run{'s' * (count > 1)}" for count in (ours, theirs)]
    means = "; means over these runs, other seeds may differ more" if ours + theirs > 2 else ""
    caption = f"This one ({counts[0]}) against the other ({counts[1]}), on the same clips{means}"
    return [Table(caption, columns, rows)]


def _robustness(report: Report) -> list[Block]:
    found = report.robustness
    if found is None:
        return ["Not measured: torchfakes evaluate … --perturb."]
    rows = [
        (f"{one.name}, {row.strength:g} ({one.unit})", cell(row, "auc"),
         change(row.auc_change, row.auc_change_interval), cell(row, "fpr"), cell(row, "fnr"), f"{row.coverage:.0%}")
        for one in found.perturbations.values()
        for row in one.strengths
    ]  # fmt: skip
    films = [one for one in found.perturbations.values() if one.in_films]
    left_out = max((one.left_out for one in films), key=len, default={})
    return [
        f"Measured on {found.frames} crops of each of {found.clips} clips, changed as they are stored"
        + (f"; {' and '.join(one.name for one in films)} compress the films' frames, out of which they are cut again. "
           if films else ". ")
        + "Black: AUC by clip with its interval; dashed vermilion: the share of crops that still get an answer.",
        *([] if not left_out else [_left_out(left_out)]),
        *[f"Not measured: {name} ({reason})." for name, reason in found.not_measured.items()],
        *([] if not rows else drawn(
            figures.robustness(found), "AUC by clip against the strength of each change; the numbers are in the table "
            "below.", "Where the line falls and the dashed one does not, the detector errs and does not notice.")),
        Table("Robustness", ["change", "AUC", "change of the AUC", "false alarms", "misses", "answered"], rows),
    ]  # fmt: skip


def _left_out(clips: Mapping[str, str]) -> str:
    """Clips whose film could not be used, the first few by name."""
    first = "; ".join(f"{clip}: {reason}" for clip, reason in list(clips.items())[:_NAMED])
    more = f"; and {len(clips) - _NAMED} more" if len(clips) > _NAMED else ""
    return f"Left out are {len(clips)} clips whose film cannot be used ({first}{more})."


def _own_boxes(report: Report) -> list[Block]:
    found = report.own_boxes
    if found is None:
        return ["Not measured (--no-own-boxes). Fakes may be cut above where their original's face is; whoever judges "
                "a film has no original."]  # fmt: skip
    if found.reason is not None:
        return [f"Not measured: {found.reason}.", *([] if not found.left_out else [_left_out(found.left_out)])]
    rows = [
        (LABELS[name], with_ends(row.first, found.intervals.get(name)), number(row.second),
         change(row.difference, row.interval))
        for name, row in found.metrics.items()
    ]  # fmt: skip
    return [
        f"The films of {found.taken} of the {found.of} clips, taken evenly over real and fake ones and over "
        "manipulations, were opened and searched as predict does it; above, a fake may be cut where its original's "
        f"face is. Half of the table's squares share {number(found.overlap, 2)} of their area or more with those "
        f"found. Several people were found in {found.crowded} films; the one nearest the table's squares is scored. "
        f"Nobody was found there in {len(found.no_face)} films, which count in neither column.",
        *([] if not found.left_out else [_left_out(found.left_out)]),
        Table(f"The same {found.clips} clips, by clip, cut in two ways",
              ["metric", "as predict finds the face (95 % interval)", "as in the table", "difference"], rows),
    ]  # fmt: skip


def _stability(report: Report) -> list[Block]:
    found = report.stability
    if found is None:
        return ["Not measured: torchfakes evaluate … --stability. A photo that is resized, shifted, mirrored or saved "
                "again is as real as before; verdicts may turn all the same."]  # fmt: skip
    left_out = [] if not found.left_out else [_left_out(found.left_out)]
    if found.overall is None:
        return [f"Not measured: {found.reason}.", *left_out]
    rows = [
        (one.name, f"{one.photos}", f"{one.turned:.1%} ({one.turned_interval[0]:.1%} to {one.turned_interval[1]:.1%})",
         f"{one.turned_any:.1%}", number(one.difference), f"{one.lost}")
        for one in (*found.changes.values(), found.overall)
    ]  # fmt: skip
    columns = ["change", "photos", "fake to real or back (95 % interval)", "any other verdict",
               "mean difference of P(fake)", "face lost"]  # fmt: skip
    return [
        f"{found.photos} frames of films were judged as photos, as they are and changed, from finding the face on; "
        f"{found.answered} of them are called fake or real as they are, and what gets no answer cannot turn to the "
        f"other side. Shares are means over {found.people} people or pairs; no face was found in {found.no_face} more.",
        *left_out,
        Table("Verdicts that turn when a photo is changed a little", columns, rows),
    ]


def _cross(report: Report) -> list[Block]:
    if report.cross_data is None:
        return ["Not measured: torchfakes evaluate … --cross OTHER/faces.csv. On other data a detector of this kind is "
                "usually much worse."]  # fmt: skip
    rows = [
        (name, f"{one.clip.n_real} / {one.clip.n_fake}", cell(one.clip, "auc"), cell(one.clip, "balanced_accuracy"),
         cell(one.frame, "auc"), f"{one.abstention.called / one.abstention.clips:.0%}")
        for name, one in report.cross_data.items()
    ]  # fmt: skip
    columns = ["data set", "real / fake clips", "AUC by clip", "balanced accuracy by clip", "AUC by frame", "answered"]
    return [Table("The same detector at the same threshold on other data sets", columns, rows)]


def _mistakes(report: Report, folder: Path) -> list[Block]:
    pictures: list[Picture] = []
    for one in report.mistakes:
        try:
            picture = path_below(folder, one.picture).read_bytes()
        except (InputError, OSError):  # a stranger's report, or a link, that leads elsewhere; or it is gone
            continue
        truth, answer = ("real", "fake") if one.label == 0 else (f"fake ({one.method})", "real")
        unsure = f"; it would get no answer: {one.cannot_tell}" if one.cannot_tell else ""
        where, p_fake = f"{one.clip_id}, frame {one.frame}", f"{one.probability_fake:.2f}"
        alt = f"A {truth} face of clip {where}, called {answer} at {p_fake}; beside it what pointed to “{answer}”."
        caption = f"{truth}, P(fake) {p_fake}: {where}{unsure}"
        pictures.append(embedded(picture, "image/jpeg", alt, caption))
    if not pictures:
        return ["Not one crop lies on the wrong side of the threshold."]
    return [
        f"The {len(pictures)} crops that lie farthest on the wrong side of the threshold, at most two a clip, worst "
        "first; beside each, what pointed to the wrong answer (Grad-CAM; dark all over: nothing at this layer did). "
        "These are faces: mind whom you show them.",
        pictures,
    ]  # fmt: skip


def _interpretation(found: Interpretation | None) -> list[Block]:
    if found is None:
        return ["Not measured: torchfakes explain RUN FACES.CSV."]
    regions = [
        (f"{row.network}, {row.kind}, {row.region}", f"{row.area:.1%}", number(row.ratio, 2), ends(bounds(row), 2),
         row.verdict)
        for row in found.regions
    ]  # fmt: skip
    return [
        f"{found.method} at {found.layer}, {found.crops} crops. Real crops are asked what pointed to “real”, fakes "
        "what pointed to “fake”; networks that know nothing, what pointed to their own answer. "
        f"{text.own_findings(found.regions)}",
        *drawn(figures.regions(found.regions), "Share of heat over share of area by face region, real and "
               "fake, for each network; the numbers are in the table below.", "The dashed line is an even glow."),
        Table("Attention by region", ["network, kind, region", "share of the crop", "share of heat ÷ share of area",
              "95 % interval", "verdict"], regions, folded=True),
        *_masks(found.masks),
        *([] if found.sanity is None else _sanity(found.sanity)),
    ]  # fmt: skip


def _masks(found: Sequence[MaskAgreement]) -> list[Block]:
    rows = [
        (f"{row.method}, {row.map}, {row.measure}", number(row.value, 2), ends(bounds(row), 2), f"{row.clips}")
        for row in found
    ]
    measures = list(dict.fromkeys(row.measure for row in found))
    pooled: dict[str, list[MaskAgreement]] = {}
    for row in found:
        if row.method == "all":
            pooled.setdefault(row.map, []).append(row)
    whole = [
        (name, *("– all maps are dark" if row.value is None else with_ends(row.value, bounds(row), 2) for row in own),
         f"{own[0].clips}")
        for name, own in pooled.items()
    ]  # fmt: skip
    return [
        Table("Agreement with the mask of the manipulation; the centre prior knows only that faces are in the middle",
              ["map", *measures, "clips"], whole),
        Table("Agreement with the mask, by manipulation", ["method, map, measure", "value", "95 % interval", "clips"],
              rows, folded=True),
    ]  # fmt: skip


def _sanity(found: Sanity) -> list[Block]:
    def table(caption: str, rows: Sequence[MapSimilarity]) -> Table:
        columns = ["", "rank correlation", "95 % interval", "structural similarity", "dark maps"]
        return Table(caption, columns, [
            (row.changed, number(row.rank_correlation, 2), ends(bounds(row), 2), number(row.structural_similarity, 2),
             "–" if row.dark is None else f"{row.dark:.0%}")
            for row in rows
        ])  # fmt: skip

    removal = [(row.map, change(row.fall, bounds(row)), f"{row.crops}") for row in found.road]
    return [
        *drawn(figures.cascading_randomisation(found.cascading_randomisation),
               "Rank correlation of the maps with those of the trained network, by how many stages have random "
               "weights; the numbers are in the table below.",
               "Maps that stay alike although the weights are random show the picture, not the network."),
        table("Weights replaced by random ones, stage by stage", found.cascading_randomisation),
        table("Trained on random labels", found.random_labels or ()),
        table("Stability: the crop shifted, the map shifted back", found.stability),
        Table("ROAD: how far the logit for the truth falls when a map's hottest fifth is filled in from around it",
              ["map", "fall (95 % interval)", "crops"], removal),
    ]  # fmt: skip


def _made(report: Report) -> list[Block]:
    data, detector = report.data, report.detector
    rows = [
        ("data", f"{data.name} ({data.table}), SHA-256 {data.sha256}"),
        ("clips", f"{data.real_clips} real; fake: {listed(data.fake_clips) or 'none'}; compression "
                  f"{', '.join(data.compressions)}"),
        ("crops", f"{data.crops:,}, of which {data.unreadable} could not be read"),
        ("extraction", listed(data.extraction) or "not known"),
        ("network", f"{detector.architecture}, {detector.size} px, weights SHA-256 {detector.sha256}"),
        ("training", listed(detector.training) or "not known"),
        ("programs", listed(vars(report.environment))),
    ]  # fmt: skip
    return [Table("Fingerprints", ["", ""], rows)]
