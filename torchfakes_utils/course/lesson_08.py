"""What lesson 08 needs beside the lab: what can be measured on a detector, and the exercises."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from torchfakes_utils.course.folders import paths
from torchfakes_utils.course.lesson_08_exercises import ALARM, DRIFT, WHAT_CHANGED
from torchfakes_utils.course.lesson_08_exercises import drift as usual_drift
from torchfakes_utils.course.patients import PATIENTS, Patient
from torchfakes_utils.course.state import ensure
from torchfakes_utils.course.teams import CANDIDATES, SEEDS, normalised
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.metrics.binary import binary_metrics
from torchfakes_utils.models.preprocessing import Preprocessing

Drift = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], Any]

__all__ = ["ALARM", "DRIFT", "WHAT_CHANGED"]  # what the notebook checks stands in a module of its own

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
    "mode": "Ask it about the same crop alone and in a batch.",
    "range": "Look at the smallest and the largest number that reaches the network.",
    "labels": "An AUC far below 0.5 knows the answer and says the opposite.",
    "imbalance": "Hold its accuracy against the always-fake line, and count what its training batches are made of.",
    "split": "Look for its validation clips among its training clips.",
}
# Suspects that need no training of their own: the healthy team's weights in another test program.
SCORED = {"colours": "red and blue swapped at test", "threshold": "the threshold at 0.9 instead of 0.5"}
HIGH_THRESHOLD = 0.9
# In a sorted table no row stands below the one that it speaks of.
_NAMES = SCORED | {"imbalance and labels": "four fakes to a real, and ImageFolder's labels"}


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


def known_clips(patient: Patient) -> float:
    """The share of the team's validation clips of which it has crops in training."""
    names = [
        set(rows[CLIP_KEY].itertuples(index=False, name=None)) for rows in (patient.validated_on, patient.trained_on)
    ]
    return len(names[0] & names[1]) / len(names[0])


def alone_or_together(patient: Patient, count: int = 16) -> float:
    """Mean difference between the score that a crop gets alone and the one that it gets in a batch."""
    rows = patient.tested_on.sample(count, random_state=0)
    return float(np.abs(patient.scores(rows, together=1) - patient.scores(rows, together=count)).mean())


@torch.no_grad()
def before_norms(patient: Patient) -> dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """What arrives at each batch norm at test, (N, C, H, W), and the mean and variance, (C,), that it remembers."""
    found: dict[str, tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = {}
    hooks, training = [], patient.detector.training
    for name, module in patient.detector.named_modules():
        if isinstance(module, nn.BatchNorm2d):

            def hook(module: nn.BatchNorm2d, inputs: tuple[torch.Tensor], name: str = name) -> None:
                remembered = module.get_buffer("running_mean"), module.get_buffer("running_var")
                found[name.removeprefix("backbone.").removesuffix(".1")] = (inputs[0], *remembered)

            hooks.append(module.register_forward_pre_hook(hook))
    try:
        patient.detector.eval()(patient.inputs("test", patient.tested_on))
    finally:
        patient.detector.train(training)
        for each in hooks:
            each.remove()
    return found


def largest_drift(patient: Patient, drift: Drift | None = None) -> float:
    """The largest drift of any batch norm; `drift` is the lesson's own by default."""
    return max(float((drift or usual_drift)(*arrived)) for arrived in before_norms(patient).values())


def measured(patient: Patient, drift: Drift | None = None) -> dict[str, float]:
    """What an alarm is told: the AUC at test, and what shows without any label of the test set."""
    pairs = [(patient.inputs("training", rows), patient.inputs("test", rows)) for rows in _of_both(patient)]
    return {
        "AUC": score_summary(patient.test)["AUC"],
        "accuracy": score_summary(patient.test)["accuracy"],
        "training and test differ": max(float((one - two).abs().mean()) for one, two in pairs),
        "drift": largest_drift(patient, drift),
        "alone or together": alone_or_together(patient),
        "fakes drawn": float((patient.batch_labels() == "fake").mean()),
        "known clips": known_clips(patient),
    }


def _of_both(patient: Patient) -> list[pd.DataFrame]:
    return [same_files(patient, label) for label in (0, 1)]


def cured(patients: Mapping[int, Patient]) -> dict[int, pd.DataFrame]:
    """What the detectors with sound weights say at test once the program round them is mended, by number.

    The lesson asks how many there are, so that they are counted here and not in its cell.

    Args:
        patients: the eight, by number.
    """
    mended: dict[str, Callable[[Patient], pd.DataFrame]] = {
        "range": lambda patient: patient.with_program(test=normalised).test,  # as in training
        "mode": lambda patient: patient.with_program(training_mode=False).test,  # eval()
        "labels": lambda patient: patient.test.assign(  # it was P(real)
            probability_fake=1 - patient.test["probability_fake"]
        ),
    }
    number_of = {illness: number for number, illness in enumerate(_TRUTH, 1)}
    return {number_of[illness]: mend(patients[number_of[illness]]) for illness, mend in mended.items()}


# --- the lab's teams


def team(candidate: str, seed: int = 0) -> Patient:
    """One of `teams.CANDIDATES` under its own name, with what it trained."""
    scores = ensure("lab")
    return Patient(candidate, seed, paths().faces_csv, scores.parent)


def colours_swapped(preprocessing: Preprocessing, crops: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:  # noqa: ARG001 - as all of `teams.Inputs`
    """What OpenCV's imread gives where nobody turns BGR into RGB; (B, 3, S, S) uint8 to float32."""
    return preprocessing.normalise(crops.flip(1))


def further_scores(seeds: Sequence[int] = SEEDS) -> pd.DataFrame:
    """The suspects of `SCORED`, by the healthy team's weights: rows as in the lab's `scores.csv`."""
    tables = []
    for seed in seeds:
        healthy = team("healthy", seed)
        swapped = healthy.with_program(test=colours_swapped).test
        # Scores stretched so that 0.9 comes to lie at 0.5: the order stays.
        higher = healthy.test["probability_fake"].map(
            lambda score: np.interp(score, [0, HIGH_THRESHOLD, 1], [0, 0.5, 1])
        )
        for candidate, test in (("colours", swapped), ("threshold", healthy.test.assign(probability_fake=higher))):
            for stage, table in (("validation", healthy.validation), ("test", test)):
                tables.append(table.assign(candidate=candidate, seed=seed, stage=stage))
    columns = ["candidate", "seed", "stage", *CLIP_KEY, "frame", "label", "probability_fake"]
    return pd.concat(tables, ignore_index=True)[columns]


def symptoms(scores: pd.DataFrame) -> pd.DataFrame:
    """What each candidate comes to, over its seeds; sorted by the share of test fakes that are called real.

    Args:
        scores: the lab's `scores.csv`, perhaps with `further_scores`.

    Returns:
        A row a candidate: `what is done`; the means `validation accuracy`, `test AUC`, `fakes called real` and `reals
        called fake`; and the lowest and highest `fakes called real` of a seed, `lowest` and `highest`.
    """
    rows = {}
    for candidate, own in scores.groupby("candidate", sort=False):
        seeds = pd.DataFrame([_both_stages(seed) for _, seed in own.groupby("seed")])
        ends = {"lowest": seeds["fakes called real"].min(), "highest": seeds["fakes called real"].max()}
        rows[candidate] = {"what is done": name_of(str(candidate))} | seeds.mean().to_dict() | ends
    return pd.DataFrame.from_dict(rows, orient="index").sort_values("fakes called real", ascending=False)


def name_of(candidate: str) -> str:
    """What a candidate does, in a few words."""
    return _NAMES.get(candidate) or CANDIDATES[candidate].name


def _both_stages(scores: pd.DataFrame) -> dict[str, float]:
    validation, test = (scores[scores["stage"] == stage] for stage in ("validation", "test"))
    said = test["probability_fake"] >= 0.5
    return {
        "validation accuracy": score_summary(validation)["accuracy"],
        "test AUC": score_summary(test)["AUC"],
        "fakes called real": float((~said[test["label"] == 1]).mean()),
        "reals called fake": float(said[test["label"] == 0].mean()),
    }


# --- exercises


def check_diagnosis(given: Any) -> None:
    """Say how many of the eight diagnoses are right, and where to look for the others.

    Args:
        given: a name from `DIAGNOSES` for each number, or None where there is no answer yet; a list of eight will do.
    """
    if isinstance(given, list | tuple):
        given = dict(enumerate(given, 1))
    if not isinstance(given, Mapping):
        print("Give a dict: a name for each number, such as {1: 'blur', 2: None}.")
        return
    answered = {str(number).strip(): str(answer).strip().lower() for number, answer in given.items() if answer}
    if not answered:
        print("Not attempted yet. Answers are: " + ", ".join(DIAGNOSES) + ".")
        return
    truth = {str(number): name for number, name in enumerate(_TRUTH, 1)}
    unknown = sorted({answer for answer in answered.values() if answer not in DIAGNOSES})
    if unknown or not set(answered) <= set(truth):
        what = f"{unknown[0]!r} is no diagnosis" if unknown else "There are detectors 1 to 8, and no others"
        print(f"{what}. Answers are: {', '.join(DIAGNOSES)}.")
        return
    wrong = [number for number, answer in answered.items() if truth[number] != answer]
    print(f"Right: {len(answered) - len(wrong)} of {len(PATIENTS)}.")
    if len(answered) < len(PATIENTS):
        print(f"Still without an answer: {len(PATIENTS) - len(answered)}.")
    if len(answered) > len(set(answered.values())):
        print("Each diagnosis is there once; you have given one of them more than once.")
    for number in wrong:
        print(f"  Detector {number} is not a case of {answered[number]!r}. {_HINTS[truth[number]]}")
    if not wrong and len(answered) == len(PATIENTS):
        print("All eight, and without looking into their files. Open the findings, and read on.")
