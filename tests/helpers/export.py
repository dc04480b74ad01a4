"""Detectors to export: small, untrained or just able to tell crops apart; their runs; and crops."""

import dataclasses
import hashlib
import json
import shutil

import numpy as np
import torch

from torchfakes_utils.crops.table import load_faces, read_crop
from torchfakes_utils.models.decision import DISTANCE
from torchfakes_utils.models.detector import DetectorConfig, features, save
from torchfakes_utils.models.likeness import fit_likeness
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.decisions import answering
from helpers.detectors import opinionated

SIZE = 64
DECISION = answering(0.4, 1.7, {"face": (30.0, None), "brightness": (20.0, 200.0)})


def build(architecture="Meso4", size=SIZE, crop_size=SIZE, seed=0):
    """A detector on random weights, of which the batch norms have met something."""
    torch.manual_seed(seed)
    spread = (127.5, 128.0) if architecture == "InceptionResnetV1" else (0.0, 255.0)
    detector = opinionated(DetectorConfig(architecture, None, 0.0, Preprocessing(size, *spread, 1.3, crop_size)))
    with torch.no_grad():
        for part in detector.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.running_mean.uniform_(-0.2, 0.2)
                part.running_var.uniform_(0.5, 2)
                part.weight.uniform_(0.5, 1.5)
    detector.decision = DECISION
    return detector.eval()


def answers_of(detector, crops):
    """Logits and distances, (B, 2)."""
    return detector.answers(detector.preprocessing.normalise(torch.as_tensor(crops))).numpy()


def logits_of(detector, crops):
    return answers_of(detector, crops)[:, 0]


def acquainted(detector, crops):
    """The detector, which knows the faces of these crops (N, 3, S, S) uint8, and takes all up to thrice as far as they.

    In a network that was hardly trained, 8 bits may double distances.
    """
    detector.likeness = fit_likeness(features(detector, torch.as_tensor(crops).split(32)))
    limit = 3 * float(answers_of(detector, crops)[:, 1].max())
    ranges = detector.decision.ranges | {DISTANCE: (None, limit)}
    detector.decision = dataclasses.replace(detector.decision, ranges=ranges)
    return detector


def noise(count, size=SIZE, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 3, size, size), dtype=np.uint8)


def teach(detector, crops, labels, steps=80):
    """Let a detector tell these crops apart, by far: random weights would make each rounding count."""
    images, wanted = detector.preprocessing.normalise(torch.from_numpy(crops)), torch.tensor(labels.tolist()).float()
    optimiser = torch.optim.Adam(detector.parameters(), 3e-3)
    detector.train()
    for _ in range(steps):
        optimiser.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(detector(images), wanted).backward()
        optimiser.step()
    detector.eval()


def run_beside_its_table(detector, faces, project, steps=80):
    """A detector that was taught the crops in a folder, as people have it: project/runs/one, project/data/tiny/faces.

    Its decision is kept as it is, but for a limit of distances.
    """
    folder, run = project / "data/tiny/faces", project / "runs/one"
    shutil.copytree(faces, folder)
    table = load_faces(folder / "faces.csv")
    teach(detector, crops_of(table), table["label"].to_numpy(), steps)
    acquainted(detector, crops_of(table))
    save(detector, run / "best")
    known = {"faces_sha256": hashlib.sha256((folder / "faces.csv").read_bytes()).hexdigest()}
    (run / "config.json").write_text(json.dumps(known))
    return run


def crops_of(faces):
    return torch.stack([read_crop(file) for file in faces["file"]]).numpy()


def files_in(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}
