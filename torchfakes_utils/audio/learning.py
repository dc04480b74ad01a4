"""A table of recordings becomes a run: a detector of made voices, trained epoch by epoch, and stopped and gone on with.

RUN/config.json        how it was trained, on which table (SHA-256); by it a run is known
RUN/last.safetensors   where training is, after the last epoch that is done
RUN/history.csv        a row an epoch
RUN/best/              the best detector, with its decision
"""

import dataclasses
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import safetensors
import safetensors.torch
import torch
from torch.nn import functional as F

from torchfakes_utils.audio.config import AudioTrainingConfig
from torchfakes_utils.audio.decision import decide
from torchfakes_utils.audio.detector import VoiceConfig, VoiceDetector, load_voice_detector, save, windows_of
from torchfakes_utils.audio.hearing import Recordings, changed, excerpt
from torchfakes_utils.audio.networks import Logistic
from torchfakes_utils.audio.voices import PRACTICE, read_recordings
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import atomic_write, read_json, sha256_of
from torchfakes_utils.io.folders import STAMP_FILE, Stamp, claim
from torchfakes_utils.io.machine import torch_device
from torchfakes_utils.io.tables import CLIP_KEY, write_table
from torchfakes_utils.metrics.binary import binary_metrics
from torchfakes_utils.metrics.calibration import probability
from torchfakes_utils.models.run_files import (
    BEST_FOLDER,
    DETECTOR_FILE,
    HISTORY_FILE,
    STATE_FILE,
    TRAINING_FILE,
)
from torchfakes_utils.models.scope import Scope

_FORMAT = 1
Row = dict[str, Any]


@dataclass(frozen=True)
class Trained:
    """What came of it.

    Attributes:
        run: its folder.
        best: the row of history whose detector is kept.
        unreadable: recordings that could not be read.
    """

    run: Path
    best: Row
    unreadable: int


def train_voice(
    table: Path | str,
    out: Path | str,
    config: AudioTrainingConfig = AudioTrainingConfig(),
    on_epoch: Callable[[Row], None] = lambda row: None,
) -> Trained:
    """Train on the `train` rows of a table, choose on `val`; the same call again goes on, or finds it done.

    Args:
        table: recordings.csv.
        out: the run's folder.
        config: see `AudioTrainingConfig`.
        on_epoch: gets each row of the history when its epoch ends.

    Raises:
        InputError: the table lacks a class in train or val, no recording can be read, or the folder is another's.
    """
    table, out = Path(table), Path(out)
    rows = read_recordings(table)
    sides = {split: np.flatnonzero(rows["split"] == split).tolist() for split in ("train", "val")}
    _check(rows, sides, table)
    stamp = Stamp(
        "a run of another kind", "torchfakes train-audio", _FORMAT, TRAINING_FILE,
        {**dataclasses.asdict(config), "table": sha256_of(table)}, ("device",),
    )  # fmt: skip
    begun = (out / STATE_FILE).is_file() or (out / BEST_FOLDER / DETECTOR_FILE).is_file()
    claim(out, stamp, overwrite=not begun)
    sounds = Recordings(list(rows["file"]))
    sides = {split: sounds.readable(places) for split, places in sides.items()}
    _check(rows, sides, table)
    learner = _Learner(rows, sounds, sides, config)
    if config.network == "logistic":
        history = [learner.fit_at_once()]
        on_epoch(history[0])
        save(learner.detector, out / BEST_FOLDER, {"epoch": 1})
    else:
        history = learner.epochs(out, on_epoch)
    write_table(pd.DataFrame(history), out / HISTORY_FILE)
    best = max(history, key=_merit)
    detector = load_voice_detector(out, torch_device(config.device))
    validation = learner.scored(detector, sides["val"])
    detector.decision = decide(validation, config.false_alarms, config.misses, _scope(table, rows, sides["train"]))
    save(detector, out / BEST_FOLDER, {"epoch": best["epoch"]})
    return Trained(out, best, len(sounds.unreadable))


def _check(rows: pd.DataFrame, sides: dict[str, list[int]], table: Path) -> None:
    for split, places in sides.items():
        found = set(rows["label"].iloc[places])
        if found != {0, 1}:
            lacks = "recordings" if not found else "real recordings" if 0 not in found else "fakes"
            raise InputError(f"{table}: {split} has no {lacks} that can be read; both classes are needed there")


def _scope(table: Path, rows: pd.DataFrame, places: list[int]) -> Scope:
    """What it learned from; practice where the data set says so of itself."""
    train = rows.iloc[places]
    methods = tuple(sorted(set(train.loc[train["label"] == 1, "method"].astype(str)) - {""}))
    try:
        stamp = read_json(table.parent / STAMP_FILE)
        practice = isinstance(stamp, dict) and stamp.get("made_by") == "torchfakes voices"
    except (OSError, ValueError):
        practice = False
    data = PRACTICE if practice else table.resolve().parent.name
    codecs = tuple(sorted(set(train["compression"].astype(str)) - {""}))
    return Scope(data[:300], methods, codecs, practice)


def _merit(row: Row) -> tuple[float, float]:
    return row["val_auc"], -row["val_loss"]


class _Learner:
    """Trains one detector."""

    def __init__(
        self, rows: pd.DataFrame, sounds: Recordings, sides: dict[str, list[int]], config: AudioTrainingConfig
    ) -> None:
        self.rows, self.sounds, self.sides, self.config = rows, sounds, sides, config
        self.device = torch_device(config.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            detector = VoiceDetector(VoiceConfig(config.front_end, config.network, config.seconds))
        self.detector = detector.to(self.device)
        labels = rows["label"].to_numpy()
        self.of_class = [[at for at in sides["train"] if labels[at] == label] for label in (0, 1)]
        self.steps = max(1, math.ceil(len(sides["train"]) / config.batch))

    def fit_at_once(self) -> Row:
        """The logistic one, by scikit-learn, on all windows of the training recordings."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        started = time.perf_counter()
        network, size = self.detector.network, self.detector.config.samples
        assert isinstance(network, Logistic)
        generator = np.random.default_rng(self.config.seed)
        summaries, labels = [], []
        for at in self.sides["train"]:
            samples = self.sounds.samples(at)
            windows = windows_of(samples if samples is not None else np.zeros(size, np.float32), size)
            both = [windows, changed(windows, generator)] if self.config.augment else [windows]
            with torch.inference_mode():
                features = self.detector.features(torch.from_numpy(np.concatenate(both)).to(self.device))
                summaries.append(Logistic.summary(features).cpu().numpy())
            labels += [int(self.rows["label"].iloc[at])] * len(summaries[-1])
        scaler = StandardScaler().fit(np.concatenate(summaries))
        # C of 0.1: some hundred numbers of some hundred clips; with C of 1 validation is no better, and weights grow.
        line = LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000)
        line.fit(scaler.transform(np.concatenate(summaries)), labels)
        with torch.no_grad():
            network.mean.copy_(torch.from_numpy(scaler.mean_))
            network.scale.copy_(torch.from_numpy(scaler.scale_))
            network.line.weight.copy_(torch.from_numpy(line.coef_))
            network.line.bias.copy_(torch.from_numpy(line.intercept_))
        loss = float(-np.log(line.predict_proba(scaler.transform(np.concatenate(summaries))))[
            np.arange(len(labels)), labels].mean())  # fmt: skip
        return {"epoch": 1, "train_loss": loss, **self.validated(), "seconds": time.perf_counter() - started}

    def epochs(self, out: Path, on_epoch: Callable[[Row], None]) -> list[Row]:
        """All epochs that are not done yet; each ends with the state on disk."""
        weights = [one for one in self.detector.parameters() if one.requires_grad]
        optimiser = torch.optim.AdamW(weights, lr=self.config.learning_rate, weight_decay=self.config.weight_decay)
        history = _restored(out / STATE_FILE, self.detector, optimiser)
        while len(history) < self.config.epochs:
            started = time.perf_counter()
            losses = [self._step(optimiser, len(history), step) for step in range(self.steps)]
            row: Row = {"epoch": len(history) + 1, "train_loss": float(np.mean(losses)), **self.validated()}
            row["seconds"] = time.perf_counter() - started
            if not history or _merit(row) > max(map(_merit, history)):
                save(self.detector, out / BEST_FOLDER, {"epoch": row["epoch"]})
            history.append(row)
            _keep(out / STATE_FILE, self.detector, optimiser, history)
            on_epoch(row)
        return history

    def _step(self, optimiser: torch.optim.Optimizer, epoch: int, step: int) -> float:
        """One update of the weights; what it draws follows from seed, epoch and step alone."""
        generator = np.random.default_rng([self.config.seed, epoch, step])
        windows, labels = self._batch(generator)
        self.detector.train()
        for group in optimiser.param_groups:
            group["lr"] = self.config.learning_rate * self._cycle(epoch * self.steps + step)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(generator.integers(2**31)))  # of dropout
            logits = self.detector(torch.from_numpy(windows).to(self.device))
        loss = F.binary_cross_entropy_with_logits(logits, torch.from_numpy(labels).to(self.device))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.detector.parameters(), 5.0)
        optimiser.step()
        return float(loss.detach())

    def _cycle(self, step: int) -> float:
        """The share of the learning rate: up in the first tenth, down by half a cosine."""
        done = (step + 1) / (self.steps * self.config.epochs)
        return done / 0.1 if done < 0.1 else 0.5 * (1 + math.cos(math.pi * (done - 0.1) / 0.9)) + 1e-3

    def _batch(self, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Windows (B, N) and labels (B,) float32, half of either class, whatever the table's balance."""
        size = self.detector.config.samples
        labels = np.arange(self.config.batch) % 2
        windows = np.zeros((len(labels), size), np.float32)
        for row, label in enumerate(labels):
            samples = self.sounds.samples(int(generator.choice(self.of_class[label])))
            if samples is not None:
                windows[row] = excerpt(samples, size, generator)
        return (changed(windows, generator) if self.config.augment else windows), labels.astype(np.float32)

    def scored(self, detector: VoiceDetector, places: list[int]) -> pd.DataFrame:
        """Rows of the table with `logit`, the mean over a recording's windows."""
        detector.eval()
        logits = [float(detector.logits(x).mean()) for at in places if (x := self.sounds.samples(at)) is not None]
        return self.rows.iloc[places][[*CLIP_KEY, "label", "target_id", "source_id"]].assign(logit=logits)

    def validated(self) -> Row:
        """What the history says of validation."""
        scores = self.scored(self.detector, self.sides["val"])
        found = binary_metrics(scores["label"], probability(scores["logit"], 1.0))
        return {"val_auc": found["auc"], "val_eer": found["eer"], "val_loss": found["loss"]}


def _keep(path: Path, detector: VoiceDetector, optimiser: torch.optim.Optimizer, history: list[Row]) -> None:
    tensors = {f"network.{name}": value.detach().cpu().contiguous() for name, value in detector.state_dict().items()}
    for at, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{at}.{name}": value.detach().cpu().contiguous() for name, value in state.items()}
    with atomic_write(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(tensors, {"history": json.dumps(history)}))


def _restored(path: Path, detector: VoiceDetector, optimiser: torch.optim.Optimizer) -> list[Row]:
    """The history so far, with network and optimiser where it ended; empty where nothing was kept.

    Raises:
        InputError: the state cannot be read.
    """
    if not path.is_file():
        return []
    try:
        with safetensors.safe_open(path, "pt") as file:
            history: list[Row] = json.loads(file.metadata()["history"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        start = "network."
        network = {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
        detector.load_state_dict(network)
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("optimiser."):
                _, at, what = name.split(".", 2)
                state.setdefault(int(at), {})[what] = value
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
    except (OSError, ValueError, KeyError, RuntimeError, safetensors.SafetensorError) as error:
        raise InputError(f"{path}: cannot be read ({error}); delete it, and training begins anew") from error
    return history
