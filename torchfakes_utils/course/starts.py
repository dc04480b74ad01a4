"""The runs of lesson 05: one network, one budget, four ways to begin; and two of these on few pictures.

Every run is a short one of the package's own loop. What it says of the validation clips is kept when it ends, so that
an interrupted course goes on with the runs that are missing.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from torchfakes_utils.crops.store import open_store
from torchfakes_utils.faces.films import moments
from torchfakes_utils.io.machine import process_map, thread_limit
from torchfakes_utils.io.tables import CLIP_KEY, read_table, write_table
from torchfakes_utils.metrics.people import PERSON_COLUMNS
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.run_files import SCORES_FILE
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import load_crops
from torchfakes_utils.training.trainer import Trainer


@dataclass(frozen=True)
class Start:
    """Where a run begins and what it may change.

    Attributes:
        pretrained: the first weights, or None for random ones.
        tune: as in `TrainingConfig`.
        learning_rate: the highest of the schedule. Each way has its own: what is right for all weights is too little
            for a classifier that learns alone. The better of two on the validation crops, with seed 0, which no run of
            the lesson has.
    """

    pretrained: str | None
    tune: str
    learning_rate: float


RANDOM, ALL = "random weights, all trained", "ImageNet, all trained"
HEAD, NORMS = "ImageNet, head alone", "ImageNet, norms alone"
STARTS = {
    RANDOM: Start(None, "all", 3e-3),
    HEAD: Start("imagenet", "head", 1e-2),
    NORMS: Start("imagenet", "norms", 3e-3),
    ALL: Start("imagenet", "all", 1e-3),
}
FEW = (32, 128)  # training crops; the main comparison has them all
ON_FEW = (RANDOM, ALL)
SEEDS = (1, 2, 3)

# Small and short, so that all runs together take minutes. In float32 and in one thread, so that it matters little which
# processor they work on. One epoch is the whole budget: nothing is chosen on validation.
TRAINING: dict[str, Any] = {
    "architecture": "EfficientNet-Lite0", "image_size": 96, "epochs": 1, "batch_size": 16, "crops_per_epoch": 16 * 40,
    "augmentation": "mirror", "val_frames_per_clip": 4, "mixed_precision": "off", "device": "cpu",
}  # fmt: skip

# `crops` is how many training crops there were to learn from, 0 for all.
START_COLUMNS = ["start", "crops", "seed", *CLIP_KEY, *PERSON_COLUMNS, "frame", "label", "probability_fake"]


@dataclass(frozen=True)
class _Task:
    start: str
    crops: int
    seed: int
    faces_csv: Path
    out: Path

    @property
    def part(self) -> Path:
        """Where the run's table is kept; runs with other settings, or tables of other columns, are others."""
        made_of = [TRAINING, asdict(STARTS[self.start]), START_COLUMNS]
        digest = hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:8]
        return self.out / "parts" / f"{list(STARTS).index(self.start)}-{self.crops}-{self.seed}-{digest}.csv"


def build(faces_csv: Path, out: Path, workers: int = 2, progress: bool = True) -> Path:
    """Make all runs that are not there yet, and one table of what they say of the validation clips.

    Args:
        faces_csv: the table of crops.
        out: the folder of the runs' tables.
        workers: processes; 1 works in this one.
        progress: show a bar on a terminal.

    Returns:
        `out / scores.csv`, `START_COLUMNS`: a row for each validation crop of each run.
    """
    faces, preprocessing = load_crops(faces_csv, _config(RANDOM, 0))
    open_store(faces, preprocessing)  # decoded once, before several processes ask for it
    tasks = [
        _Task(start, crops, seed, faces_csv, out)
        for crops in (0, *FEW)
        for seed in SEEDS
        for start in (STARTS if crops == 0 else ON_FEW)
    ]
    missing = [task for task in tasks if not task.part.is_file()]
    with process_map(workers) as spread_out:
        done = spread_out(_run, missing)
        list(tqdm(done, "runs", len(missing), leave=False, disable=None if progress else True))
    tables = [read_table(task.part, START_COLUMNS) for task in tasks]
    write_table(pd.concat(tables, ignore_index=True), out / SCORES_FILE, START_COLUMNS)
    return out / SCORES_FILE


def read_runs(scores_csv: Path) -> pd.DataFrame:
    """What `build` wrote."""
    return read_table(scores_csv, START_COLUMNS)


def train_start(
    faces: pd.DataFrame, preprocessing: Preprocessing, config: TrainingConfig, crops: int = 0
) -> pd.DataFrame:
    """One run of the package's loop; the validation crops with `probability_fake`, as it ends.

    Args:
        faces, preprocessing: from `load_crops`.
        config: how to train.
        crops: how many training crops there are to learn from, 0 for all.
    """
    with thread_limit(1):
        trainer = Trainer(some_pairs(faces, crops, config.seed) if crops else faces, preprocessing, config)
        for _ in range(config.epochs):
            trainer.epoch()
    return trainer.val_scores


def some_pairs(faces: pd.DataFrame, crops: int, seed: int) -> pd.DataFrame:
    """The table with at most so many crops in the split "train": real ones, and of each one a fake of its frame.

    As many different films as there are come first, and the crops of a smaller number are among those of a larger one.
    The others go to a split that nobody reads, so that one file of decoded crops serves all runs.
    """
    numbered = faces.assign(moment=moments(faces), row=np.arange(len(faces)))
    train = numbered[(numbered["split"] == "train") & (numbered["moment"] >= 0)].sample(frac=1, random_state=seed)
    fakes = train[train["label"] == 1].drop_duplicates("moment")
    reals = train[(train["label"] == 0) & train["moment"].isin(fakes["moment"])].drop_duplicates("moment")
    turn = reals.groupby(["clip_id", "compression"]).cumcount()
    reals = reals.iloc[np.argsort(turn.to_numpy(), kind="stable")].head(crops // 2)
    chosen = pd.concat([reals, fakes[fakes["moment"].isin(reals["moment"])]])["row"]
    unused = (faces["split"] == "train").to_numpy() & ~np.isin(numbered["row"], chosen)
    return faces.assign(split=faces["split"].mask(unused, "unused"))


def settings() -> dict[str, Any]:
    """All that the runs depend on, ready for JSON."""
    starts = {name: asdict(start) for name, start in STARTS.items()}
    return {"training": TRAINING, "starts": starts, "few": [*FEW], "on_few": [*ON_FEW], "seeds": [*SEEDS]}


def _config(start: str, seed: int) -> TrainingConfig:
    return TrainingConfig(**TRAINING | asdict(STARTS[start]) | {"seed": seed})


def _run(task: _Task) -> None:
    config = _config(task.start, task.seed)
    faces, preprocessing = load_crops(task.faces_csv, config)
    scores = train_start(faces, preprocessing, config, task.crops)
    table = scores.assign(start=task.start, crops=task.crops, seed=task.seed)
    write_table(table[START_COLUMNS], task.part, START_COLUMNS)
