"""A run on a table: scores, and what they say: errors, a cost, per vocoder, per channel, with intervals by speaker."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from torchfakes_utils.audio.channels import channel, sent
from torchfakes_utils.audio.config import AudioEvaluationConfig
from torchfakes_utils.audio.detector import VoiceDetector, load_voice_detector
from torchfakes_utils.audio.hearing import Recordings
from torchfakes_utils.audio.voices import read_recordings
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import write_record
from torchfakes_utils.io.machine import torch_device
from torchfakes_utils.io.tables import CLIP_KEY, write_table
from torchfakes_utils.metrics.binary import binary_metrics
from torchfakes_utils.metrics.intervals import with_intervals
from torchfakes_utils.models.run_files import SCORES_FILE

REPORT = "audio.json"
_KEPT = [*CLIP_KEY, "split", "path", "label", "target_id", "source_id", "original_id"]
COLUMNS = [*_KEPT, "channel", "logit", "probability_fake", "detector"]


@dataclass(frozen=True)
class Measured:
    """What a run is worth on a split.

    Attributes:
        report: what JSON holds: `split`, `recordings`, `speakers`, `all`, `methods`, `channels`, `unreadable`.
        unreadable: why recordings could not be read.
    """

    report: dict[str, Any]
    unreadable: tuple[str, ...]


def evaluate_voice(
    run: Path | str, table: Path | str, config: AudioEvaluationConfig = AudioEvaluationConfig()
) -> Measured:
    """Score a split and write `scores.csv` and `audio.json` into the run's folder.

    Raises:
        InputError: no voice detector there, or no recording of either class in the split that can be read.
    """
    detector = load_voice_detector(run, torch_device(config.device))
    for name in config.channels:
        channel(name)
    rows = read_recordings(table)
    rows = rows[rows["split"] == config.split].reset_index(drop=True)
    if rows.empty:
        raise InputError(f"{table}: no recording in the split {config.split!r}")
    sounds = Recordings(list(rows["file"]))
    scores = pd.concat([scored(detector, rows, sounds, name) for name in ("none", *config.channels)])
    report = summary(scores, detector.decision.threshold, config)
    unreadable = tuple(sounds.unreadable.values())
    report |= {"split": config.split, "unreadable": len(unreadable), "scope": detector.decision.scope_line,
               "meaning": detector.decision.meaning, "threshold": detector.decision.threshold,
               "detector": detector.sha256[:12]}  # fmt: skip
    write_table(scores, Path(run) / SCORES_FILE, COLUMNS)
    write_record(Path(run) / REPORT, report)
    return Measured(report, unreadable)


def scored(detector: VoiceDetector, rows: pd.DataFrame, sounds: Recordings, through: str = "none") -> pd.DataFrame:
    """A row for each recording that can be read, with its mean logit, heard through a channel."""
    places, logits = [], []
    for at in range(len(rows)):
        samples = sounds.samples(at)
        if samples is not None:
            places.append(at)
            logits.append(float(detector.logits(sent(samples, through)).mean()))
    found = rows.iloc[places][_KEPT].assign(channel=through, logit=logits, detector=detector.sha256[:12])
    return found.assign(probability_fake=detector.decision.probability(np.array(logits)))


def summary(scores: pd.DataFrame, threshold: float, config: AudioEvaluationConfig) -> dict[str, Any]:
    """Of all recordings, of each way to make them against all real ones, and of each channel.

    Raises:
        InputError: a class is missing.
    """
    plain = scores[scores["channel"] == "none"]
    if set(plain["label"]) != {0, 1}:
        raise InputError("the split needs real recordings and fakes that can be read")
    real = plain[plain["label"] == 0]
    methods = {
        str(name): measured(pd.concat([real, fakes]), threshold, config)
        for name, fakes in plain[plain["label"] == 1].groupby("method", sort=True)
    }
    channels = {
        str(name): measured(part, threshold, config)
        for name, part in scores[scores["channel"] != "none"].groupby("channel", sort=False)
    }
    return {
        "recordings": len(plain), "speakers": int(plain["target_id"].nunique()),
        "all": measured(plain, threshold, config), "methods": methods, "channels": channels,
    }  # fmt: skip


def measured(scores: pd.DataFrame, threshold: float, config: AudioEvaluationConfig) -> dict[str, Any]:
    """AUC, EER and balanced accuracy with intervals by speaker, and the detection costs."""
    found = with_intervals(scores, threshold, config.replicates)
    kept = ("auc", "eer", "balanced_accuracy", "fpr", "fnr")
    result: dict[str, Any] = {name: found[name] for name in kept}
    result |= {f"{name}_interval": found[f"{name}_interval"] for name in kept}
    truth, values = scores["label"].to_numpy(), scores["probability_fake"].to_numpy()
    result |= detection_costs(truth, values, threshold, config.prior, config.cost_false_alarm, config.cost_miss)
    always = binary_metrics(truth, np.ones(len(truth)))["accuracy"]
    return result | {"real": int((truth == 0).sum()), "fake": int((truth == 1).sum()), "always_fake_accuracy": always,
                     "drawn_by": found["drawn_by"], "units": found["units"]}  # fmt: skip


def detection_costs(
    labels: np.ndarray, scores: np.ndarray, threshold: float, prior: float, cost_false_alarm: float, cost_miss: float
) -> dict[str, float | None]:
    """The normalised detection cost at a threshold, and the least that any threshold has.

    DCF = cost_false_alarm · (1 - prior) · P(real called fake) + cost_miss · prior · P(fake called real), over the cost
    of the better one of two detectors that do not listen: always "real", always "fake". Below 1 it is worth listening.
    It is the plain cost of a countermeasure alone, and no t-DCF, which also asks a speaker verifier. Source: Delgado et
    al., ASVspoof 5 Evaluation Plan (2024), section 5.1, where a miss is a real one that is rejected.

    Args:
        labels: (N,) of 0 and 1; both occur.
        scores: (N,) P(fake).
        threshold: from which a score is called fake.
        prior: share of fakes.
        cost_false_alarm, cost_miss: of either error.

    Returns:
        `cost` and `least_cost`; None where a class is missing.
    """
    real, fake = np.sort(scores[labels == 0]), np.sort(scores[labels == 1])
    if not len(real) or not len(fake):
        return {"cost": None, "least_cost": None}
    normal = min(cost_false_alarm * (1 - prior), cost_miss * prior)
    at = np.concatenate([[threshold, np.inf], np.unique(scores)])
    alarms = 1 - np.searchsorted(real, at) / len(real)
    missed = np.searchsorted(fake, at) / len(fake)
    costs = (cost_false_alarm * (1 - prior) * alarms + cost_miss * prior * missed) / normal
    return {"cost": float(costs[0]), "least_cost": float(costs[1:].min())}


def lines(report: dict[str, Any]) -> list[str]:
    """A report for people."""
    whole = [f"split {report['split']}: {report['recordings']} recordings of {report['speakers']} speakers"]
    parts = {"all": report["all"], **report["methods"]} | {f"through {k}": v for k, v in report["channels"].items()}
    for name, one in parts.items():
        auc, eer = (_with_ends(one, key) for key in ("auc", "eer"))
        whole.append(f"  {name:<18}AUC {auc}  EER {eer}  cost {one['cost']:.2f} (least {one['least_cost']:.2f})")
    drawn = report["all"]
    balanced = _with_ends(drawn, "balanced_accuracy")
    whole.append(f"  balanced accuracy {balanced}; always fake would be right {drawn['always_fake_accuracy']:.0%}")
    return [*whole, f"  intervals: 95 %, drawn by {drawn['drawn_by']}, {drawn['units']} of them",
            f"  scope: {report['scope']}", f"  meaning: {report['meaning']}"]  # fmt: skip


def _with_ends(one: dict[str, Any], key: str) -> str:
    ends = one[f"{key}_interval"]
    value = "-" if one[key] is None else f"{one[key]:.3f}"
    return value + ("" if ends is None else f" [{ends[0]:.3f}, {ends[1]:.3f}]")


def read_report(run: Path | str) -> dict[str, Any]:
    """What `evaluate_voice` wrote.

    Raises:
        InputError: nothing there that can be read.
    """
    path = Path(run) / REPORT
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); run `torchfakes evaluate-audio` again") from error
    return found
