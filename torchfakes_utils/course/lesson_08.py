"""What lesson 08 needs beside the lab: what can be measured on a detector, figures of it, and the exercises' checks."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import nn

from torchfakes_utils.course import exercises, plots
from torchfakes_utils.course.patients import PATIENTS, Patient
from torchfakes_utils.course.teams import CANDIDATES
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.metrics.binary import binary_metrics

# What a learner may answer, and which candidate it stands for.
DIAGNOSES = {
    "healthy": "healthy", "blur": "blurred fakes", "augmentation": "augmented reals", "mode": "mode", "range": "range",
    "labels": "labels", "imbalance": "imbalance", "split": "frames apart",
}  # fmt: skip
_TRUTH = [next(name for name, stands_for in DIAGNOSES.items() if stands_for == patient) for patient in PATIENTS]
_HINTS = {
    "healthy": "Every measurement of this one is unremarkable; a sick one has at least one that is not.",
    "blur": "Hold training against test, class by class: which class differs, and is it sharper or softer in training?",
    "augmentation": "Hold training against test, class by class: which differs, and is it rougher there or smoother?",
    "mode": "Ask it about the same crop alone and in company.",
    "range": "Look at the smallest and the largest number that reaches the network.",
    "labels": "An AUC far below 0.5 knows the answer and says the opposite.",
    "imbalance": "Hold its accuracy against the always-fake line, and count what its training batches are made of.",
    "split": "Look for its validation clips among its training clips.",
}


# --- measuring


def score_summary(scores: pd.DataFrame) -> dict[str, float]:
    """What a table of scores comes to: accuracy, balanced accuracy, AUC, and the share called fake.

    Args:
        scores: rows with `label` and `probability_fake`, both classes.
    """
    found = binary_metrics(scores["label"], scores["probability_fake"])
    names = {
        "accuracy": "accuracy",
        "balanced": "balanced_accuracy",
        "AUC": "auc",
        "called fake": "predicted_fake_rate",
    }
    return {name: found[key] for name, key in names.items()}


def same_files(patient: Patient, label: int, count: int = 16) -> pd.DataFrame:
    """Some training crops of one class, the sharpest of each clip, to follow through the stages."""
    own = patient.trained_on[patient.trained_on["label"] == label]
    return own.sort_values("sharpness", ascending=False).drop_duplicates(CLIP_KEY).sort_values("path").head(count)


def change(patient: Patient, label: int) -> float:
    """Mean absolute difference between what training and the test program make of the same files of one class."""
    rows = same_files(patient, label)
    return float((patient.inputs("training", rows) - patient.inputs("test", rows)).abs().mean())


def edges(patient: Patient, stage: str, label: int) -> float:
    """How sharp what reaches the network is: the median variance of the Laplacian, of one class's crops."""
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None]
    grey = 128 * patient.inputs(stage, same_files(patient, label)).mean(1, keepdim=True)  # about 0…255 wide again
    return float(nn.functional.conv2d(grey, kernel).var((1, 2, 3)).median())


def company(patient: Patient, count: int = 16) -> float:
    """Mean difference between what a crop is called alone and what it is called among others."""
    rows = patient.tested_on.sample(count, random_state=0)
    return float(np.abs(patient.scores(rows, together=1) - patient.scores(rows, together=count)).mean())


@torch.no_grad()
def drift(patient: Patient) -> dict[str, float]:
    """How far what arrives at test lies from batch norm's running averages, layer by layer, in standard deviations."""
    rows, hooks = patient.tested_on, []
    found: dict[str, float] = {}
    for name, module in patient.detector.named_modules():
        if isinstance(module, nn.BatchNorm2d):

            def hook(module: nn.BatchNorm2d, inputs: tuple[torch.Tensor], name: str = name) -> None:
                mean, variance = module.get_buffer("running_mean"), module.get_buffer("running_var")
                distance = (inputs[0].mean((0, 2, 3)) - mean) / (variance + module.eps).sqrt()
                found[name.removeprefix("backbone.").removesuffix(".1")] = float(distance.abs().mean())

            hooks.append(module.register_forward_pre_hook(hook))
    training = patient.detector.training
    try:
        patient.detector.eval()(patient.inputs("test", rows))
    finally:
        patient.detector.train(training)
        for each in hooks:
            each.remove()
    return found


def known_clips(patient: Patient) -> float:
    """The share of the team's validation clips of which it has crops in training."""
    names = [
        set(rows[CLIP_KEY].itertuples(index=False, name=None)) for rows in (patient.validated_on, patient.trained_on)
    ]
    return len(names[0] & names[1]) / len(names[0])


def chart(patients: Mapping[int, Patient]) -> pd.DataFrame:
    """Everything that was measured, a row a patient."""
    rows = {}
    for number, patient in patients.items():
        validation, test = score_summary(patient.validation), score_summary(patient.test)
        arriving = patient.inputs("test", patient.tested_on)
        rows[number] = {
            "validation accuracy": validation["accuracy"],
            "test accuracy": test["accuracy"],
            "test AUC": test["AUC"],
            "called fake": test["called fake"],
            "change, reals": change(patient, 0),
            "change, fakes": change(patient, 1),
            "lowest input": float(arriving.min()),
            "training edges, reals": edges(patient, "training", 0),
            "training edges, fakes": edges(patient, "training", 1),
            "largest drift": max(drift(patient).values()),
            "company": company(patient),
            "fakes drawn": float((patient.batch_labels() == "fake").mean()),
            "known clips": known_clips(patient),
        }
    return pd.DataFrame(rows).T.rename_axis("detector")


def symptoms(scores: pd.DataFrame) -> pd.DataFrame:
    """A row a candidate: mean over the seeds, and from the lowest to the highest.

    Args:
        scores: the lab's `scores.csv`.
    """
    rows = []
    for candidate, own in scores.groupby("candidate", sort=False):
        values = pd.DataFrame([_both_stages(seed) for _, seed in own.groupby("seed")])
        rows.append({"what is done": CANDIDATES[candidate].name} | {name: _range(values[name]) for name in values})
    return pd.DataFrame(rows).set_index("what is done")


def _both_stages(scores: pd.DataFrame) -> dict[str, float]:
    validation, test = (score_summary(scores[scores["stage"] == stage]) for stage in ("validation", "test"))
    return {
        "validation accuracy": validation["accuracy"],
        "test accuracy": test["accuracy"],
        "test balanced": test["balanced"],
        "test AUC": test["AUC"],
        "called fake": test["called fake"],
    }


def _range(values: pd.Series) -> str:
    # The dash between two word joiners, so that no table breaks a line at it.
    return f"{values.mean():.2f} ({values.min():.2f}\u2060–\u2060{values.max():.2f})"


# --- figures


def screen(patient: Patient, count: int = 5) -> Figure:
    """Test crops as a test program shows them: real ones above, fakes below, each with its word."""
    rows = pd.concat(
        patient.test[patient.test["label"] == label]
        .sample(frac=1, random_state=0)
        .drop_duplicates("target_id")
        .sort_values("target_id")
        .head(count)
        for label in (0, 1)
    )
    words = [f"it says {'fake' if score >= 0.5 else 'real'}, {score:.2f}" for score in rows["probability_fake"]]
    accuracy = score_summary(patient.validation)["accuracy"]
    title = f"Validation accuracy {accuracy:.0%}. Real faces above, fakes below:"
    return plots.images([plots.face(file) for file in rows["file"]], words, count, title, rows["label"].tolist())


def histograms(patient: Patient) -> Figure:
    """What a detector says of real and fake crops, in its team's validation and at test."""
    # Apart, so that a name at the edge of one panel does not run into the other's.
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 2.7), sharey=True, gridspec_kw={"wspace": 0.2})
    for ax, stage in zip(axes, ("validation", "test"), strict=True):
        scores = getattr(patient, stage)
        plots.histogram(ax, scores["probability_fake"], scores["label"], np.linspace(0, 1, 21), threshold=0.5)
        seen = score_summary(scores)
        text = f"{stage}: accuracy {seen['accuracy']:.2f}, AUC {seen['AUC']:.2f}, called fake {seen['called fake']:.0%}"
        ax.set_title(text, fontsize=9.5)
        ax.set(xlabel="P(fake), as the program gives it", xlim=(0, 1))
    axes[1].set_ylabel("")
    name = "" if patient.number is None else f"Detector {patient.number}"
    figure.suptitle(name, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def through_the_stages(patient: Patient, label: int) -> Figure:
    """One training file as training and as the test program feeds it to the network, and the difference."""
    row = same_files(patient, label, 1)
    training, test = (patient.inputs(stage, row)[0].permute(1, 2, 0).numpy() for stage in ("training", "test"))
    # One scale for both, the one that training means: -1 is black, 1 is white.
    shown = [np.clip(127.5 * (1 + values), 0, 255).astype(np.uint8) for values in (training, test)]
    difference = np.abs(training - test).mean(2)
    stretched = 255 * difference / max(difference.max(), 1e-6)  # even a faint grain is to be seen
    titles = [f"{name}: {values.min():.2f} to {values.max():.2f}" for name, values in zip(
        ("training", "test"), (training, test), strict=True)]  # fmt: skip
    title = f"Detector {patient.number}, the same {plots.NAMES[label]} file"
    size = f"difference, stretched: {np.abs(training - test).mean():.3f}"
    return plots.images([*shown, stretched.astype(np.uint8)], [*titles, size], title=title, inches=1.9)


def answers(scores: pd.DataFrame) -> Figure:
    """Of each candidate the share of test crops that are called fake, a point a seed.

    Args:
        scores: the lab's `scores.csv`.
    """
    test = scores[scores["stage"] == "test"]
    share = (test["probability_fake"] >= 0.5).groupby([test["candidate"], test["seed"], test["label"]]).mean()
    names = [name for name in CANDIDATES if name in set(test["candidate"])]
    figure, ax = plt.subplots(figsize=(8.6, 0.33 * len(names) + 0.9))
    for y, name in enumerate(names):
        for label in (0, 1):
            values, height = share[name].xs(label, level="label"), y + 0.16 * (2 * label - 1)
            (points,) = ax.plot(values, [height] * len(values), plots.MARKERS[label], markersize=6)
            points.set(color=plots.COLOURS[label], alpha=0.8)
    for label, mark, x in ((0, "●", 0.0), (1, "✖", 1.0)):
        text, side = f"{mark} test crops that are {plots.NAMES[label]}", ("left", "right")[label]
        ax.annotate(text, (x, -0.85), ha=side, va="center", color=plots.COLOURS[label], fontweight="bold")
    for y in range(1, len(names)):
        ax.axhline(y - 0.5, color="#E5E5E5", linewidth=0.8)
    ax.set(
        yticks=range(len(names)), yticklabels=[CANDIDATES[name].name for name in names], ylim=(len(names) - 0.5, -1.2),
        xlim=(-0.03, 1.03), xlabel="share called fake (left: everything is “real”; right: everything is “fake”)",
    )  # fmt: skip
    ax.set_title("Who says “real” to a fake?")
    return plots.finish(figure)


# --- exercises


@exercises.check
def check_diagnosis(given: Mapping[int, str | None]) -> None:
    """Say how many of the eight diagnoses are right, and where to look for the others.

    Args:
        given: a name from `DIAGNOSES` for each number, or None where there is no answer yet.
    """
    answered = {number: str(answer).strip().lower() for number, answer in given.items() if answer is not None}
    if not answered:
        print("Not attempted yet. Answers are: " + ", ".join(DIAGNOSES) + ".")
        return
    unknown = sorted({answer for answer in answered.values() if answer not in DIAGNOSES})
    if unknown:
        print(f"{unknown[0]!r} is no diagnosis. Answers are: {', '.join(DIAGNOSES)}.")
        return
    truth = dict(enumerate(_TRUTH, 1))
    wrong = [number for number, answer in answered.items() if truth.get(number) != answer]
    print(f"Right: {len(answered) - len(wrong)} of {len(PATIENTS)}.")
    if len(answered) < len(PATIENTS):
        print(f"Still without an answer: {len(PATIENTS) - len(answered)}.")
    if len(answered) > len(set(answered.values())):
        print("Each diagnosis is there once; you have given one of them more than once.")
    for number in wrong:
        print(f"  Detector {number} is not a case of {answered[number]!r}. {_HINTS[truth.get(number, 'healthy')]}")
    if not wrong and len(answered) == len(PATIENTS):
        print("All eight, and without looking into their files. Read on.")


@exercises.check
def check_alarm(alarm: Callable[[Patient], bool | None], patients: Sequence[Patient]) -> None:
    """Try a learner's alarm on detectors of another seed: it should ring for the sick ones, and only for them.

    Args:
        alarm: gets a patient, says whether it is sick.
        patients: in the order of `PATIENTS`.
    """
    rings = [exercises.attempt(alarm, patient) for patient in patients]
    if all(ring is None for ring in rings):
        print("Not attempted yet: your function returns nothing.")
        return
    healthy = PATIENTS.index("healthy")
    rings = [bool(ring) for ring in rings]
    caught = sum(rings) - rings[healthy]
    print(f"It rings for {caught} of {len(PATIENTS) - 1} sick detectors, and the healthy one is "
          f"{'accused' if rings[healthy] else 'left in peace'}.")  # fmt: skip
    missed = [name for name, ring in zip(_TRUTH, rings, strict=True) if not ring and name != "healthy"]
    if rings[healthy] and caught == len(PATIENTS) - 1:
        print("An alarm that always rings is switched off on the first day. What tells the healthy one apart?")
    elif rings[healthy]:
        print("Any detector does a little worse on strangers: leave room for that.")
    elif missed:
        print(f"Missed, for instance: {missed[0]}. {_HINTS[missed[0]]}")
    else:
        print("All of them, on detectors that you had not seen. Put it into your test suite.")
