"""A report as one page that needs nothing else: figures and pictures are inside, and every figure has its numbers."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from torchfakes_utils.metrics.binary import by_clip
from torchfakes_utils.metrics.bootstrap import METRICS
from torchfakes_utils.report import figures

Block = dict[str, Any]

_TEMPLATES = Path(__file__).parent / "templates"

LABELS = {
    "auc": "AUC", "average_precision": "average precision", "eer": "equal error rate", "tpr_at_fpr_1pct":
    "fakes found at 1 % false alarms", "tpr_at_fpr_5pct": "fakes found at 5 % false alarms", "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy", "fpr": "false alarms (reals called fake)",
    "fnr": "misses (fakes called real)", "loss": "log loss, nats", "brier": "Brier score",
}  # fmt: skip


def page(report: Mapping[str, Any], scores: pd.DataFrame, folder: Path) -> str:
    """The page of a report.

    Args:
        report: what `report.json` holds.
        scores: `scores.csv`.
        folder: the run's, in which the pictures of the mistakes are.
    """
    import jinja2

    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True)
    parts = [
        ("numbers", "The numbers", _numbers(report, scores)),
        ("methods", "By manipulation and compression", _methods(report)),
        ("threshold", "Threshold and calibration", _calibration(report)),
        ("abstention", "When it does not answer", _abstention(report)),
        ("comparison", "Other seeds, other runs", _comparison(report)),
        ("robustness", "What happens to films", _robustness(report)),
        ("cross", "Other data sets", _cross(report)),
        ("mistakes", "The worst mistakes", _mistakes(report, folder)),
        ("interpretation", "Where it looks", _interpretation(report)),
        ("made", "How it was made", _made(report)),
    ]
    parts = [
        {"id": key, "name": name, "blocks": [block for block in blocks if block]}
        for key, name, blocks in parts
        if blocks
    ]
    return environment.get_template("report.html").render(
        title=f"{report['name']}: is it good?",
        subtitle=f"Split “{report['split']}” of {report['data']['name']} ({report['data']['table']}), "
        f"{report['created'][:10]}, torchfakes {report['environment']['torchfakes']}",
        sections=[(part["id"], part["name"]) for part in parts],
        caution=report["decision"].get("caution"),  # which reports of earlier versions have not
        headline=headline(report),
        parts=parts,
    )  # fmt: skip


def headline(report: Mapping[str, Any]) -> list[str]:
    """What has to be said first, in sentences."""
    clip, data = report["clip"], report["data"]
    people = "person" if data["people"] == 1 else "people"
    lines = [
        f"{clip['n_real']} real and {clip['n_fake']} fake clips, {data['crops']} crops of {data['people']} {people}. "
        f"By clip: AUC {interval(clip, 'auc')}; at the threshold of {clip['threshold']:.3f}, balanced accuracy "
        f"{interval(clip, 'balanced_accuracy')} and accuracy {interval(clip, 'accuracy')}, where always answering "
        f"“fake” has {number(clip['always_fake_accuracy'])}."
    ]
    confusion = clip["confusion"]
    lines.append(
        f"It called {confusion['fp']} of {clip['n_real']} real clips fake, and missed {confusion['fn']} of "
        f"{clip['n_fake']} fakes."
    )
    lines.append(
        "Intervals are 95 %, from drawing clips anew. They know nothing about people, cameras and forgeries that are "
        "not in these data, and an interval without width says that all of these clips were in order, not that all "
        "will be."
    )
    return lines


def how_fixed(decision: Mapping[str, Any]) -> str:
    """Where threshold and temperature come from, in a sentence."""
    if decision["notes"]:
        return f"Validation could not fix both of them: {'; '.join(decision['notes'])}."
    return "Both were fixed on the validation split, both classes counting alike."


def number(value: float | None, digits: int = 3) -> str:
    """A number for people; a dash for none."""
    return "–" if value is None else f"{value:.{digits}f}"


def interval(row: Mapping[str, Any], name: str, digits: int = 3) -> str:
    """A metric with its interval, or why there is none."""
    if row.get(name) is None:
        return f"not known ({row.get('reasons', {}).get(name, 'not measured')})"
    ends = row.get(f"{name}_interval")
    return number(row[name], digits) + (f" ({ends[0]:.{digits}f} to {ends[1]:.{digits}f})" if ends else "")


def _text(text: str) -> Block:
    return {"kind": "text", "text": text}


def _table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]], folded: bool = False) -> Block:
    rows = [list(row) for row in rows]
    return {"kind": "table", "caption": caption, "columns": columns, "rows": rows, "folded": folded}


def _figure(figure: Any, alt: str, caption: str) -> Block | None:
    if figure is None:
        return None
    data = base64.b64encode(figures.svg(figure).encode()).decode()
    return {"kind": "figure", "source": f"data:image/svg+xml;base64,{data}", "alt": alt, "caption": caption}


def _numbers(report: Mapping[str, Any], scores: pd.DataFrame) -> list[Block | None]:
    frame, clip = report["frame"], report["clip"]
    rows = []
    for name in METRICS:
        rows.append((LABELS[name], _cell(clip, name), _cell(frame, name)))  # noqa: PERF401
    rows.append(("accuracy of always “fake”", *(number(level["always_fake_accuracy"]) for level in (clip, frame))))
    confusion = [
        (f"{kind} {level}", *(f"{report[level]['confusion'][cell]:,}" for cell in cells))
        for level in ("clip", "frame")
        for kind, cells in (("real", ("tn", "fp")), ("fake", ("fn", "tp")))
    ]
    names = {"mean": "mean (the one that is used)"}
    ways = [
        (names.get(how, how), _cell(row, "auc"), _cell(row, "average_precision"), _cell(row, "loss"),
         "" if how == "mean" else _change(row["auc_minus_mean"], row["auc_minus_mean_interval"]))
        for how, row in report["aggregations"].items()
    ]  # fmt: skip
    return [
        _table("All metrics, with 95 % intervals by clip", ["metric", "by clip", "by frame"], rows),
        _figure(figures.scores(by_clip(scores), clip["threshold"]),
                "P(fake) of every clip, in rows by method; the threshold is a dashed line.",
                "Every mark is a clip. Blue circles (real) belong on the left of the dashed line, vermilion crosses "
                "(fake) on its right."),
        _figure(figures.curves(report["curves"], clip),
                f"ROC curve, area {number(clip['auc'])}, and precision–recall curve, average precision "
                f"{number(clip['average_precision'])}, by clip.",
                "Left: each step to the right is a real clip that looks more fake than some fake. Right: precision "
                "depends on the share of fakes in these data, and is another where fakes are rarer."),
        _table("Right and wrong at the threshold", ["", "called real", "called fake"], confusion),
        _table("Ways to make one score of a clip's frames", ["way", "AUC", "average precision", "log loss",
               "AUC against the mean's"], ways),
    ]  # fmt: skip


def _cell(row: Mapping[str, Any], name: str) -> str:
    if row.get(name) is None:
        return f"– {row.get('reasons', {}).get(name, '')}".strip()
    return interval(row, name)


def _change(value: float | None, ends: Sequence[float] | None) -> str:
    if value is None:
        return "–"
    text = f"{value:+.3f}" + (f" ({ends[0]:+.3f} to {ends[1]:+.3f})" if ends else "")
    return text.replace("-", "−")


def _methods(report: Mapping[str, Any]) -> list[Block | None]:
    rows = [("all", report["clip"]), *report["methods"].items()]
    chart = [(name, row["auc"], row["auc_interval"]) for name, row in rows]
    columns = ["", "clips", "AUC", "average precision", "balanced accuracy", "misses"]

    def line(name: str, row: Mapping[str, Any], clips: int) -> tuple[str, ...]:
        return (name, f"{clips}", *(_cell(row, metric) for metric in ("auc", "average_precision", "balanced_accuracy",
                                                                      "fnr")))  # fmt: skip

    methods = [line(name, row, row["clips"]) for name, row in report["methods"].items()]
    compressions = [line(name, row, row["n"]) for name, row in report["compressions"].items()]
    return [
        _figure(figures.interval_rows(chart, "AUC by clip", 0.5) if any(row[1] for row in chart) else None,
                "AUC by clip with its interval: " + "; ".join(f"{name} {number(value)}" for name, value, _ in chart),
                "Each manipulation's clips against all real clips. Intervals that overlap do not rank manipulations."),
        _table("By manipulation, against all real clips", columns, methods),
        _table("By compression, its own clips", columns, compressions),
    ]  # fmt: skip


def _calibration(report: Mapping[str, Any]) -> list[Block | None]:
    decision, calibration = report["decision"], report["calibration"]
    frame = calibration["frame"]
    rows = [
        ("by frame, as the split is", number(frame["ece_uncalibrated"]), number(frame["ece"])),
        ("by frame, were half of them fake", number(frame["ece_balanced_uncalibrated"]), number(frame["ece_balanced"])),
        ("by clip, as the split is", "–", number(calibration["clip"]["ece"])),
        ("by clip, were half of them fake", "–", number(calibration["clip"]["ece_balanced"])),
    ]
    return [
        _text(f"Called fake from P(fake) = {decision['threshold']:.3f} on; P(fake) is sigmoid(logit / "
              f"{decision['temperature']:.2f}). {how_fixed(decision)} Both are stored with the weights."),
        _table("Expected calibration error: mean distance between what a score says and what is so",
               ["", "without temperature", "with it"], rows),
        _text(_temperature_helped(frame, decision["temperature"])),
        _figure(figures.reliability(frame["bins"], "crops"),
                "Reliability diagram by frame: " + "; ".join(
                    f"said {row['said']:.2f}, fake {row['fake']:.2f}, {row['count']} crops" for row in frame["bins"]),
                "Of the crops in each range of scores, the share that is fake. Above the dotted line more are fake "
                "than the scores say: a network trained on halves meets a split with another share of fakes."),
    ]  # fmt: skip


def _temperature_helped(frame: Mapping[str, Any], temperature: float) -> str:
    before, after = frame["ece_balanced_uncalibrated"], frame["ece_balanced"]
    if before is None or temperature == 1:
        return "The temperature of 1 changes nothing." if temperature == 1 else "It takes both classes to say more."
    word = "closer to" if after < before else "farther from"
    return (
        f"On this split the temperature takes the scores {word} what is so ({before:.3f} to {after:.3f}, were half of "
        "the crops fake). It was fitted on the people of the validation split, who are others."
    )


def _abstention(report: Mapping[str, Any]) -> list[Block | None]:
    found = report["abstention"]
    reasons = [(name, f"{count:,}") for name, count in found["reasons"].items()]
    ranges = [
        (name, *(number(end, 0) for end in ends)) for name, ends in report["decision"]["ranges"].items()
    ]  # fmt: skip
    silent = found["crops"] - found["crops_judged"]
    said = (
        f"{found['judged']} of {found['clips']} clips ({found['coverage']:.0%}) get an answer: {found['no_face']} "
        f"showed no face, and {silent} of {found['crops']} crops look unlike any of training. Of the judged clips, "
        f"accuracy {number(found['accuracy'])} and balanced accuracy {number(found['balanced_accuracy'])}. The numbers "
        "above are about all clips that show a face."
    )
    all_answered = number(found["risk_coverage"]["risk"][-1])
    return [
        _text(said),
        _table("Why crops get no answer", ["reason", "crops"], reasons),
        _table("What crops looked like in training, a little widened", ["quality", "from", "to"], ranges),
        _figure(figures.risk_coverage(found["risk_coverage"], found),
                f"Risk against coverage: with all clips answered the risk is {all_answered}.",
                "Were only the surest answers given: how many of them would be wrong. The diamond is the rule that is "
                "in use, which looks at the crop and not at the score."),
    ]  # fmt: skip


def _comparison(report: Mapping[str, Any]) -> list[Block | None]:
    blocks: list[Block | None] = []
    if report["seeds"]:
        rows = [
            (LABELS[name], number(row["mean"]), number(row["sd"]), ", ".join(number(value) for value in row["values"]),
             "–" if row["interval"] is None else "{:.3f} to {:.3f}".format(*row["interval"]))
            for name, row in report["seeds"]["metrics"].items()
        ]  # fmt: skip
        caption = f"{report['seeds']['runs']} runs of the same recipe, by clip"
        columns = ["metric", "mean", "standard deviation", "by run", "95 % interval of the mean (clips and runs)"]
        blocks.append(_table(caption, columns, rows))
    if report["comparison"]:
        ours, theirs = report["comparison"]["runs"]
        rows = [
            (LABELS[name], number(row["first"]), number(row["second"]), _change(row["difference"], row["interval"]),
             "–" if row["better"] is None else f"{row['better']:.0%}")
            for name, row in report["comparison"]["metrics"].items()
        ]  # fmt: skip
        caption = f"This one ({ours} run{'s' * (ours > 1)}) against the other ({theirs}), on the same clips"
        columns = [
            "metric",
            "this one",
            "the other",
            "difference",
            "share of resampled data sets in which it is better",
        ]
        blocks.append(_table(caption, columns, rows))
    return blocks


def _robustness(report: Mapping[str, Any]) -> list[Block | None]:
    found = report["robustness"]
    if not found:
        return [_text("Not measured: torchfakes evaluate … --perturb.")]
    rows = [
        (f"{one['name']}, {row['strength']:g} ({one['unit']})", _cell(row, "auc"),
         _change(row["auc_change"], row["auc_change_interval"]), _cell(row, "fpr"), _cell(row, "fnr"),
         f"{row['coverage']:.0%}")
        for one in found["perturbations"].values()
        for row in one["strengths"]
    ]  # fmt: skip
    return [
        _text(f"Measured on {found['frames']} crops of each of {found['clips']} clips, changed as they are stored. "
              "Black: AUC by clip with its interval; dashed vermilion: the share of crops that still get an answer."),
        _figure(figures.robustness(found), "AUC by clip against the strength of each change; the numbers are in "
                "the table below.", "Where the line falls and the dashed one does not, the detector errs and does not "
                "notice."),
        _table("Robustness", ["change", "AUC", "change of the AUC", "false alarms", "misses", "answered"], rows),
    ]  # fmt: skip


def _cross(report: Mapping[str, Any]) -> list[Block | None]:
    rows = [
        (name, f"{one['clip']['n_real']} / {one['clip']['n_fake']}", _cell(one["clip"], "auc"),
         _cell(one["clip"], "balanced_accuracy"), _cell(one["frame"], "auc"), f"{one['abstention']['coverage']:.0%}")
        for name, one in (report["cross_data"] or {}).items()
    ]  # fmt: skip
    if not rows:
        return [_text("Not measured: torchfakes evaluate … --cross OTHER/faces.csv. On other data a detector of this "
                      "kind is usually much worse.")]  # fmt: skip
    columns = ["data set", "real / fake clips", "AUC by clip", "balanced accuracy by clip", "AUC by frame", "answered"]
    return [_table("The same detector at the same threshold on other data sets", columns, rows)]


def _mistakes(report: Mapping[str, Any], folder: Path) -> list[Block | None]:
    rows = []
    for one in report["mistakes"]:
        picture = folder / one["picture"]
        if not picture.is_file():
            continue
        data = base64.b64encode(picture.read_bytes()).decode()
        truth = "real" if one["label"] == 0 else f"fake ({one['method']})"
        said = "fake" if one["label"] == 0 else "real"
        unsure = f"; it would get no answer: {one['cannot_tell']}" if one["cannot_tell"] else ""
        where, p_fake = f"{one['clip_id']}, frame {one['frame']}", f"{one['probability_fake']:.2f}"
        rows.append({
            "source": f"data:image/jpeg;base64,{data}",
            "alt": f"A {truth} face of clip {where}, called {said} at {p_fake}; beside it what spoke for “{said}”.",
            "caption": f"{truth}, P(fake) {p_fake}: {where}{unsure}",
        })  # fmt: skip
    if not rows:
        return [_text("Not one crop lies on the wrong side of the threshold.")]
    return [
        _text(f"The {len(rows)} crops that lie farthest on the wrong side of the threshold, at most two a clip, worst "
              "first; beside each, what spoke for the wrong answer (Grad-CAM; dark all over: nothing at this layer "
              "did). These are faces: mind whom you show them."),
        {"kind": "mistakes", "rows": rows},
    ]  # fmt: skip


def _interpretation(report: Mapping[str, Any]) -> list[Block | None]:
    found = report["interpretation"]
    if not found:
        return [_text("Not measured: torchfakes explain RUN FACES.CSV.")]
    columns = [
        "network, kind, region",
        "share of the crop",
        "share of heat ÷ share of area",
        "95 % interval",
        "verdict",
    ]
    regions = [
        (f"{row['network']}, {row['kind']}, {row['region']}", f"{row['area']:.1%}", number(row["ratio"], 2),
         "–" if row["low"] is None else f"{row['low']:.2f} to {row['high']:.2f}", row["verdict"])
        for row in found["regions"]
    ]  # fmt: skip
    masks = [
        (f"{row['method']}, {row['map']}, {row['measure']}", number(row["value"], 2),
         "–" if row["low"] is None else f"{row['low']:.2f} to {row['high']:.2f}", f"{row['clips']}")
        for row in found["masks"]
    ]  # fmt: skip
    measures = list(dict.fromkeys(row["measure"] for row in found["masks"]))
    pooled = {(row["map"], row["measure"]): row for row in found["masks"] if row["method"] == "all"}
    whole = [
        (name, *(_with_ends(pooled[name, measure]) for measure in measures), f"{pooled[name, measures[0]]['clips']}")
        for name in dict.fromkeys(name for name, _ in pooled)
    ]  # fmt: skip
    blocks = [
        _text(f"{found['method']} at {found['layer']}, {found['crops']} crops. Real crops are asked what spoke for "
              "“real”, fakes what spoke for “fake”; networks that know nothing, what spoke for their own answer. "
              + _own_findings(found["regions"])),
        _figure(figures.regions(found["regions"]), "Share of heat over share of area by face region, real and "
                "fake, for each network; the numbers are in the table below.", "The dashed line is an even glow."),
        _table("Attention by region", columns, regions, folded=True),
        _table("Agreement with the mask of the manipulation; the centre prior knows only that faces are in the middle",
               ["map", *measures, "clips"], whole),
        _table("Agreement with the mask, by manipulation", ["method, map, measure", "value", "95 % interval", "clips"],
               masks, folded=True),
    ]  # fmt: skip
    if found["sanity"]:
        blocks += _sanity(found["sanity"])
    return blocks


def _with_ends(row: Mapping[str, Any]) -> str:
    if row["value"] is None:
        return "– all maps are dark"
    return number(row["value"], 2) + ("" if row["low"] is None else f" ({row['low']:.2f} to {row['high']:.2f})")


def _own_findings(rows: Sequence[Mapping[str, Any]]) -> str:
    """The regions where the trained network is above chance and above all that know nothing, in a sentence."""
    said = []
    for kind in ("real", "fake"):
        own = {row["region"]: row for row in rows if row["kind"] == kind and row["network"] == "trained"}
        others = [row for row in rows if row["kind"] == kind and row["network"] != "trained"]
        names = [
            name for name, row in own.items()
            if row["low"] is not None and row["low"] > max([1, *(other["high"] for other in others
                                                                 if other["region"] == name and other["high"])])
        ]  # fmt: skip
        said.append(f"on {kind} faces {', '.join(names) or 'nothing'}")
    return (
        "A region is the network's own finding only where its interval lies above chance and above those of all "
        f"networks that know nothing: {'; '.join(said)}."
    )


def _sanity(found: Mapping[str, Any]) -> list[Block | None]:
    similar = ["", "rank correlation", "95 % interval", "structural similarity", "dark maps"]

    def rows(table: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
        return [
            (row["changed"], number(row["rank_correlation"], 2),
             "–" if row["low"] is None else f"{row['low']:.2f} to {row['high']:.2f}",
             number(row["structural_similarity"], 2), "–" if row["dark"] is None else f"{row['dark']:.0%}")
            for row in table
        ]  # fmt: skip

    removal = [(row["map"], _change(row["fall"], None if row["low"] is None else [row["low"], row["high"]]),
                f"{row['crops']}") for row in found["road"]]  # fmt: skip
    return [
        _figure(figures.cascading_randomisation(found["cascading_randomisation"]),
                "Rank correlation of the maps with those of the trained "
                "network, by how many stages have random weights; the numbers are in the table below.",
                "Maps that stay alike although the weights are random show the picture, not the network."),
        _table("Weights replaced by random ones, stage by stage", similar, rows(found["cascading_randomisation"])),
        _table("Trained on random labels", similar, rows(found["random_labels"] or [])),
        _table("Stability: the crop shifted, the map shifted back", similar, rows(found["stability"])),
        _table("ROAD: how far the logit for the truth falls when a map's hottest fifth is filled in from around it",
               ["map", "fall (95 % interval)", "crops"], removal),
    ]  # fmt: skip


def _made(report: Mapping[str, Any]) -> list[Block | None]:
    data, detector, environment = report["data"], report["detector"], report["environment"]
    fakes = ", ".join(f"{name} {count}" for name, count in data["fake_clips"].items()) or "none"
    rows = [
        ("data", f"{data['name']} ({data['table']}), SHA-256 {data['sha256']}"),
        ("clips", f"{data['real_clips']} real; fake: {fakes}; compression {', '.join(data['compressions'])}"),
        ("crops", f"{data['crops']:,}, of which {data['unreadable']} could not be read"),
        ("extraction", ", ".join(f"{name} {value}" for name, value in data["extraction"].items()) or "not known"),
        ("network", f"{detector['architecture']}, {detector['size']} px, weights SHA-256 {detector['sha256']}"),
        ("training", ", ".join(f"{name} {value}" for name, value in detector["training"].items()) or "not known"),
        ("programs", ", ".join(f"{name} {value}" for name, value in environment.items() if value)),
    ]  # fmt: skip
    return [_table("Fingerprints", ["", ""], rows)]
