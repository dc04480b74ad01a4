"""The first detector: a small network that knows pictures, trained in a process of its own while somebody plays.

Lesson 05 trains the course's detector, which takes minutes. This one begins from ImageNet's weights, which come with
the package, and sees some hundred crops, so that the first heat map need not be waited for.

    python -m torchfakes_utils.course.lesson_00_model     # trains it, or finishes what was begun
"""

import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from tqdm.auto import tqdm

from torchfakes_utils.course import folders
from torchfakes_utils.course.state import ensure
from torchfakes_utils.io.files import sha256_of, write_record
from torchfakes_utils.models.detector import Detector, load_detector, save
from torchfakes_utils.models.run_files import DETECTOR_FILE
from torchfakes_utils.training.config import TrainingConfig

# Few enough crops for half a minute on two cores, enough to be clearly ahead of a coin.
CONFIG = TrainingConfig(
    architecture="EfficientNet-Lite0", pretrained="imagenet", augmentation="mirror", epochs=3, crops_per_epoch=320,
    image_size=112, mixed_precision="off", val_frames_per_clip=1,
)  # fmt: skip
LEARNED_FROM = CONFIG.epochs * (CONFIG.crops_per_epoch or 0)  # crops, drawn again in each epoch
EPOCHS_FILE = "epochs.json"  # how many are done


def first_run() -> Path:
    """The folder of the first detector; its name says what it was trained on and how, so that it is never another's."""
    settings = json.dumps(asdict(CONFIG), sort_keys=True) + sha256_of(folders.paths().faces_csv)
    run = folders.paths().run
    return run.with_name(f"{run.name}-first-{hashlib.sha256(settings.encode()).hexdigest()[:8]}")


def train_first() -> Path:
    """Train the first detector where it is not there yet; returns its folder.

    There are no thresholds to fix and nothing to go on from: what `training.run` does beyond the epochs is left out.
    """
    from torchfakes_utils.training.data import load_crops
    from torchfakes_utils.training.trainer import Trainer

    faces_csv, out = ensure("faces", progress=False), first_run()
    if not (out / DETECTOR_FILE).is_file():
        faces, preprocessing = load_crops(faces_csv, CONFIG)
        trainer = Trainer(faces, preprocessing, CONFIG)
        for epoch in range(1, CONFIG.epochs + 1):
            trainer.epoch()
            write_record(out / EPOCHS_FILE, epoch)
        save(trainer.learner.detector, out)
    return out


def train_meanwhile() -> subprocess.Popen[bytes]:
    """Begin `train_first` in a process of its own, so that nobody has to wait for it now.

    It says nothing, for its words would come up in whichever cell is run next. If it fails, the notebook's own call in
    `first_detector` does the work again and says what is wrong.
    """
    return subprocess.Popen(
        [sys.executable, "-m", __name__],
        env={**os.environ, "TORCHFAKES_HOME": str(folders.paths().home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # the notebook's stop button stops a cell, not the training
    )


def first_detector(training: subprocess.Popen[bytes], seconds: float = 0.5) -> Detector:
    """The detector, once its training is done; meanwhile a bar of its epochs.

    Args:
        training: what `train_meanwhile` gave.
        seconds: between two looks at the run's folder.
    """
    run = first_run()
    if (run / DETECTOR_FILE).is_file():  # from an earlier day
        return load_detector(run).eval()
    with tqdm(desc="the model is training", total=CONFIG.epochs, unit="epoch", leave=False, delay=1) as bar:
        while training.poll() is None:
            bar.n = epochs_done(run)
            bar.refresh()
            time.sleep(seconds)
    return load_detector(train_first()).eval()


def epochs_done(run: Path) -> int:
    """How many epochs a run has done."""
    try:
        return int((run / EPOCHS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # the first epoch is not over
        return 0


if __name__ == "__main__":
    train_first()
