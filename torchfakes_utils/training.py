"""Train a detector: a run folder with the configuration, the history, the best detector, and where to go on from.

Every epoch draws its random numbers from (seed, epoch) alone. A run that was interrupted therefore goes on, from the
last finished epoch, exactly as it would have gone: on the CPU the same weights come out, bit for bit.
"""

import contextlib
import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader
from tqdm import tqdm

from torchfakes_utils import __version__
from torchfakes_utils.dataset import (
    AUGMENTATIONS,
    SAMPLERS,
    FaceCrops,
    Preprocessing,
    check_faces,
    limit_frames,
    load_faces,
    read_extraction,
    training_transform,
)
from torchfakes_utils.detector import CONFIG_FILE, Detector, DetectorConfig, build_detector, save, torch_device
from torchfakes_utils.errors import InputError
from torchfakes_utils.metrics import binary_metrics, by_clip
from torchfakes_utils.sharpness import THRESHOLD, filter_blurred
from torchfakes_utils.tables import atomic_write, write_table

logger = logging.getLogger(__name__)

HISTORY_COLUMNS = [
    "epoch", "seconds", "train_loss", "learning_rate", "train_real", "train_fake", "val_loss", "val_accuracy",
    "val_balanced_accuracy", "val_auc", "val_auc_clip", "always_fake_accuracy", "predicted_fake_rate",
]  # fmt: skip

# Where and how fast a run is computed, as opposed to what: these may differ when a run is taken up again.
_MACHINE_SETTINGS = ("device", "num_workers", "mixed_precision")


@dataclass(frozen=True)
class TrainingConfig:
    """How to train.

    Attributes:
        epochs: passes; the one-cycle schedule is stretched over them, so more epochs is another run, not a longer one.
        batch_size: 16 fits a GPU of 8 GB at 160 px.
        learning_rate: the peak of the one-cycle schedule. None is 1e-3, AdamW's usual rate, from random weights, and
            3e-4 from pretrained ones, which a high rate would wash away.
        weight_decay: of the weights of convolutions and linear layers; biases and batch norms are left alone.
        dropout: before the last linear layer. facenet-pytorch's 0.6 suits millions of pictures and many epochs.
        patience: epochs without a better validation AUC before stopping. One-cycle runs are at their best at their
            end, when the rate has fallen: a small patience stops them on the way.
        sampling: "paired" draws a real crop and a fake one of the same person and frame, one after the other;
            "balanced" draws each class and manipulation independently.
        crops_per_epoch: crops drawn in a pass; None is as many as there are real training crops. Half of those drawn
            are fake, so that every real crop comes in every other pass: an epoch short enough to watch.
        min_sharpness: training crops blurrier than this are left out (variance of the Laplacian); 0 keeps all.
            Validation crops are never filtered.
        augmentation: "none" or "first-project".
        image_size: edge of the network's input, pixels. Time goes with its square.
        val_frames_per_clip: crops of a validation clip that are looked at; None is all. Neighbouring frames say much
            the same, and on a CPU a validation pass is mostly waiting.
        pretrained: "vggface2", "casia-webface", or None for random weights.
        weights: a file with InceptionResnetV1's weights, instead of downloading.
        seed: of everything random.
        device: "auto" takes a CUDA GPU where there is one.
        mixed_precision: "auto" uses bfloat16 (float16 on older ones) on CUDA GPUs; "off" never.
        num_workers: processes that read crops; None is 0 on the CPU (the network needs all of it), 4 beside a GPU.
    """

    epochs: int = 5
    batch_size: int = 16
    learning_rate: float | None = None
    weight_decay: float = 1e-2
    dropout: float = 0.1
    patience: int = 5
    sampling: str = "paired"
    crops_per_epoch: int | None = None
    min_sharpness: float = THRESHOLD
    augmentation: str = "none"
    image_size: int = 160
    val_frames_per_clip: int | None = 4
    pretrained: str | None = "vggface2"
    weights: str | None = None
    seed: int = 0
    device: str = "auto"
    mixed_precision: str = "auto"
    num_workers: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work, by the name that the user knows it by.

        Raises:
            InputError: a value out of range.
        """
        rules = {
            "epochs": self.epochs >= 1,
            "batch_size": self.batch_size >= 2,  # batch norm has nothing to average over one
            "learning_rate": self.learning_rate is None or 0 < self.learning_rate < math.inf,
            "weight_decay": 0 <= self.weight_decay < math.inf,
            "dropout": 0 <= self.dropout < 1,
            "patience": self.patience >= 1,
            "sampling": self.sampling in SAMPLERS,
            "crops_per_epoch": self.crops_per_epoch is None or self.crops_per_epoch >= 2,
            "augmentation": self.augmentation in AUGMENTATIONS,
            "val_frames_per_clip": self.val_frames_per_clip is None or self.val_frames_per_clip >= 1,
            "seed": self.seed >= 0,
            "mixed_precision": self.mixed_precision in ("auto", "off"),
            "num_workers": self.num_workers is None or self.num_workers >= 0,
        }
        for name, good in rules.items():
            if not good:
                raise InputError(f"training cannot use {name.replace('_', ' ')} {getattr(self, name)!r}")


@dataclass(frozen=True)
class TrainingResult:
    """What a run came to.

    Attributes:
        best: the row of `history` whose detector is in `run/best`.
        history: a row an epoch, `HISTORY_COLUMNS`.
        run: the run folder.
        note: what the user has to know about the weights that training started from, or None.
    """

    best: dict[str, Any]
    history: pd.DataFrame
    run: Path
    note: str | None = None


def train(
    faces_csv: Path | str,
    out: Path | str,
    config: TrainingConfig = TrainingConfig(),  # noqa: B008  (frozen)
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    progress: bool = True,
) -> TrainingResult:
    """Train on split "train", choose the epoch on split "val"; the same call again finishes an interrupted run.

    Args:
        faces_csv: the table of crops; `extraction.json` beside it, if there, says how they were cut.
        out: the run folder: `config.json`, `history.csv`, `best/`, `last.pt`.
        config: how to train.
        on_epoch: called with each new row of the history.
        progress: print a line an epoch, and show a bar on a terminal.

    Raises:
        InputError: crops or classes lack, `out` holds another run or cannot be written to, `weights` cannot be used,
            or the loss is no longer a number.
    """
    say = print if progress else lambda line: None
    faces_csv, out, device = Path(faces_csv), Path(out), torch_device(config.device)
    faces, preprocessing = _load(faces_csv, config)
    _claim(out, config, faces_csv)
    run = Trainer(faces, preprocessing, config, device, out)
    say(run.describe_data())
    if run.history:
        say(f"{out}: going on after epoch {len(run.history)} of {config.epochs}")

    while not run.finished:
        started, epoch = time.perf_counter(), len(run.history) + 1
        with _random_numbers(config.seed, epoch, device):
            row = {"epoch": epoch} | run.train_epoch(run.batches(epoch), show_bar=progress) | run.validate()
        row["seconds"] = time.perf_counter() - started
        run.keep(row)
        say(describe_epoch(row, config.epochs))
        if on_epoch is not None:
            on_epoch(row)

    best = run.best
    say(f"best: epoch {best['epoch']}, validation AUC {best['val_auc']:.3f} (by clip {best['val_auc_clip']:.3f})")
    return TrainingResult(best, pd.DataFrame(run.history, columns=HISTORY_COLUMNS), out, run.note)


def describe_epoch(row: dict[str, Any], epochs: int) -> str:
    """A row of the history as a line, with what gives away a network that answers every crop alike."""
    return (
        f"epoch {row['epoch']}/{epochs} ({row['seconds']:.0f} s): loss {row['train_loss']:.3f} on "
        f"{row['train_real']} real + {row['train_fake']} fake; validation loss {row['val_loss']:.3f}, "
        f"AUC {row['val_auc']:.3f} (by clip {row['val_auc_clip']:.3f}), accuracy {row['val_accuracy']:.3f} "
        f"(always “fake”: {row['always_fake_accuracy']:.3f}), balanced {row['val_balanced_accuracy']:.3f}, "
        f"called fake: {row['predicted_fake_rate']:.0%}"
    )


class Trainer:
    """What changes while training: detector, optimiser, schedule, history; and the files that they are kept in."""

    def __init__(
        self, faces: pd.DataFrame, preprocessing: Preprocessing, config: TrainingConfig, device: torch.device, out: Path
    ) -> None:
        """A new run, or the one in `out` as it was after its last finished epoch.

        Args:
            faces: crops of the splits "train" and "val", from `load_faces`.
            preprocessing: how they become the network's input.
            config: how to train.
            device: where.
            out: the run folder.

        Raises:
            InputError: weights cannot be used, or the files of the run are damaged.
        """
        self.config, self.device, self.out = config, device, out
        self.train_faces, self.val_faces = (
            faces[faces["split"] == split].reset_index(drop=True) for split in ("train", "val")
        )
        if config.val_frames_per_clip is not None:
            self.val_faces = limit_frames(self.val_faces, config.val_frames_per_clip)
        self.crops = config.crops_per_epoch or max(2, int((self.train_faces["label"] == 0).sum()))
        self.batch_size = min(config.batch_size, self.crops)

        state = _read_state(out)
        with _random_numbers(config.seed, 0, device):
            self.detector, self.note = _initial_detector(config, preprocessing, state)
        # Channels last is how both cuDNN's mixed-precision kernels and oneDNN want their pictures.
        self.detector.to(device, memory_format=torch.channels_last)
        self.loss = nn.BCEWithLogitsLoss()
        rate = config.learning_rate or (1e-3 if self.detector.config.pretrained is None else 3e-4)
        self.optimizer = AdamW(_parameter_groups(self.detector, config.weight_decay), lr=rate, fused=True)
        steps = config.epochs * (self.crops // self.batch_size)
        self.scheduler = OneCycleLR(self.optimizer, max_lr=rate, total_steps=steps)
        self.autocast_dtype = _autocast_dtype(device, config.mixed_precision)
        # float16 alone needs its small gradients lifted into range; switched off, the scaler passes everything through.
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.autocast_dtype is torch.float16)
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Any] | None = None
        if state is not None:
            self._restore(state)
        elif self.note is not None:
            logger.warning(self.note)

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or too many have passed since the best one."""
        done, best = len(self.history), self.best["epoch"] if self.best else 0
        return done >= self.config.epochs or done - best >= self.config.patience

    def batches(self, epoch: int) -> DataLoader:
        """The crops of an epoch, half real and half fake, in an order that depends on seed and epoch alone."""
        generator = torch.Generator().manual_seed(_seed(self.config.seed, epoch))
        return DataLoader(
            FaceCrops(self.train_faces, training_transform(self.config.image_size, self.config.augmentation)),
            batch_size=self.batch_size,
            sampler=SAMPLERS[self.config.sampling](self.train_faces, self.crops, generator),
            drop_last=True,  # a last batch of one crop would stop batch norm
            generator=generator,
            **self._loading,
        )

    def train_epoch(self, batches: DataLoader, show_bar: bool = False) -> dict[str, Any]:
        """One pass over the crops: forward, loss, backward, step."""
        self.detector.train()
        losses, fakes, seen = [], 0, 0
        for images, labels in tqdm(batches, unit="batch", leave=False, disable=None if show_bar else True):
            fakes, seen = fakes + int(labels.sum()), seen + len(labels)
            images = images.to(self.device, memory_format=torch.channels_last, non_blocking=True)  # (B, 3, S, S)
            labels = labels.to(self.device, non_blocking=True)  # (B,)

            with self._autocast():
                logits = self.detector(images)  # (B,)
            loss = self.loss(logits.float(), labels)

            self.optimizer.zero_grad()
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
            rate = self.scheduler.get_last_lr()[0]
            self.scheduler.step()
            losses.append(loss.detach())  # read once an epoch: reading makes a GPU wait

        train_loss = torch.stack(losses).mean().item()
        if not math.isfinite(train_loss):
            raise InputError(f"the loss is no longer a number; train in a new folder with a rate below {rate:.1g}")
        return {"train_loss": train_loss, "learning_rate": rate, "train_real": seen - fakes, "train_fake": fakes}

    @torch.inference_mode()
    def validate(self) -> dict[str, Any]:
        """Metrics on crops of people who are not in the training split."""
        self.detector.eval()
        crops = FaceCrops(self.val_faces, self.detector.preprocessing.apply)
        logits = []
        for images, _ in DataLoader(crops, batch_size=4 * self.batch_size, **self._loading):
            images = images.to(self.device, memory_format=torch.channels_last, non_blocking=True)
            with self._autocast():
                logits.append(self.detector(images).cpu().double())
        scores = self.val_faces.assign(probability_fake=torch.cat(logits).sigmoid().numpy())
        clips = by_clip(scores)
        frame = binary_metrics(scores["label"], scores["probability_fake"])
        return {
            "val_loss": frame["loss"],
            "val_accuracy": frame["accuracy"],
            "val_balanced_accuracy": frame["balanced_accuracy"],
            "val_auc": frame["auc"],
            "val_auc_clip": binary_metrics(clips["label"], clips["probability_fake"])["auc"],
            "always_fake_accuracy": frame["always_fake_accuracy"],
            "predicted_fake_rate": frame["predicted_fake_rate"],
        }

    def keep(self, row: dict[str, Any]) -> None:
        """Put a finished epoch on disk; it counts from the moment `last.pt` is replaced, which comes last."""
        self.history.append(row)
        if self.best is None or _rank(row) > _rank(self.best):
            self.best = row
            save(self.detector, self.out / "best", {"epoch": row["epoch"], "validation": row})
        write_table(pd.DataFrame(self.history), self.out / "history.csv", HISTORY_COLUMNS)
        state = {
            "detector_config": asdict(self.detector.config),
            "note": self.note,
            "history": self.history,
            "best_epoch": self.best["epoch"],
            "detector": self.detector.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "scaler": self.scaler.state_dict(),
        }
        with atomic_write(self.out / "last.pt") as temporary, temporary.open("wb") as file:
            torch.save(state, file)

    def describe_data(self) -> str:
        """How many crops of each class there are, in a line."""
        parts = [f"{name}: {_counts(faces)}" for name, faces in (("train", self.train_faces), ("val", self.val_faces))]
        return f"crops {'; '.join(parts)}; {self.crops} drawn an epoch, half of them real; on {self.device}"

    def _restore(self, state: dict[str, Any]) -> None:
        if not (self.out / "best" / CONFIG_FILE).is_file():
            raise InputError(f"{self.out}: its best/ is gone; delete the folder and train again")
        self.history = state["history"]
        self.best = next(row for row in self.history if row["epoch"] == state["best_epoch"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        if state["scaler"] and self.scaler.is_enabled():  # empty where the run began on another device
            self.scaler.load_state_dict(state["scaler"])

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.autocast_dtype, enabled=self.autocast_dtype is not None)

    @property
    def _loading(self) -> dict[str, Any]:
        cuda = self.device.type == "cuda"
        automatic = min(4, os.cpu_count() or 1) if cuda else 0
        workers = automatic if self.config.num_workers is None else self.config.num_workers
        return {"num_workers": workers, "pin_memory": cuda}


def _load(faces_csv: Path, config: TrainingConfig) -> tuple[pd.DataFrame, Preprocessing]:
    """The crops, blurred training crops left out, and how they become the network's input."""
    faces = load_faces(faces_csv)
    check_faces(faces, faces_csv.parent, splits=("train", "val"))
    faces = filter_blurred(faces, config.min_sharpness)
    if faces.loc[faces["split"] == "train", "label"].nunique() < 2:
        raise InputError(f"a class has no training crop sharper than {config.min_sharpness:g}; lower that threshold")
    usual, extraction = Preprocessing(), read_extraction(faces_csv.parent)
    preprocessing = Preprocessing(
        size=config.image_size,
        crop_scale=extraction.get("crop_scale", usual.crop_scale),
        crop_size=extraction.get("size", usual.crop_size),
    )
    if "size" in extraction and preprocessing.crop_size < preprocessing.size:
        raise InputError(
            f"{faces_csv}: these crops are {preprocessing.crop_size} px, and enlarging them to {preprocessing.size} px "
            "adds nothing; choose a smaller image size, or extract larger crops"
        )
    return faces, preprocessing


def _claim(out: Path, config: TrainingConfig, faces_csv: Path) -> None:
    """Write `config.json`; where `out` already holds a run, first make sure that it is this one."""
    record = asdict(config)
    if config.weights is not None:
        record["weights"] = Path(config.weights).name  # the same file from elsewhere is the same run
    record["faces_sha256"] = hashlib.sha256(faces_csv.read_bytes()).hexdigest()
    path = out / "config.json"
    if (out / "last.pt").exists():  # before its first epoch is on disk, a run is nothing that could be lost
        try:
            there = dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{out}: holds a run whose config.json cannot be read; choose another folder") from error
        other = [name for name in record if name not in _MACHINE_SETTINGS and there.get(name) != record[name]]
        if other:
            named = ", ".join(
                "another faces.csv" if name == "faces_sha256" else f"{name} {there.get(name)!r} (now {record[name]!r})"
                for name in other
            )
            raise InputError(f"{out}: holds a run with {named}; choose another folder, or delete this one")
    record["versions"] = {"torchfakes": __version__, "torch": torch.__version__}
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _read_state(out: Path) -> dict[str, Any] | None:
    """Where a run was interrupted, or None for a new one."""
    path = out / "last.pt"
    if not path.exists():
        return None
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a broken pickle fails wherever its bytes lead
        raise InputError(f"{path}: damaged, so the run cannot go on; delete {out} and train again") from error


def _initial_detector(
    config: TrainingConfig, preprocessing: Preprocessing, state: dict[str, Any] | None
) -> tuple[Detector, str | None]:
    """The detector to go on from, and the note that belongs to it; only a new run may need to download weights."""
    if state is None:
        asked = DetectorConfig(pretrained=config.pretrained, dropout=config.dropout, preprocessing=preprocessing)
        return build_detector(asked, config.weights)
    told = state["detector_config"]
    detector = Detector(DetectorConfig(**told | {"preprocessing": Preprocessing(**told["preprocessing"])}))
    detector.load_state_dict(state["detector"])
    return detector, state["note"]


def _counts(faces: pd.DataFrame) -> str:
    fakes = faces.loc[faces["label"] == 1, "method"].value_counts(sort=False).items()
    by_method = ", ".join(f"{name} {count}" for name, count in fakes)
    return f"{(faces['label'] == 0).sum()} real, {(faces['label'] == 1).sum()} fake ({by_method})"


def _parameter_groups(detector: Detector, weight_decay: float) -> list[dict[str, Any]]:
    """Decay pulls weights to zero; a bias or a batch norm's scale at zero would only switch its channel off."""
    parameters = list(detector.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _autocast_dtype(device: torch.device, mixed_precision: str) -> torch.dtype | None:
    """None is float32. A GPU that merely emulates bfloat16 (before Ampere) is faster in float16."""
    if device.type != "cuda" or mixed_precision == "off":
        return None
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def _rank(row: dict[str, Any]) -> tuple[float, float]:
    """What makes one epoch better than another: AUC by clip, then, among equals, by crop."""
    return row["val_auc_clip"], row["val_auc"]


def _seed(seed: int, epoch: int) -> int:
    """A seed for one epoch of one run; neighbouring seeds and epochs share nothing."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])


@contextlib.contextmanager
def _random_numbers(seed: int, epoch: int, device: torch.device) -> Iterator[None]:
    """Inside, torch draws the random numbers of this epoch; outside, its generators are as they were."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(_seed(seed, epoch))
        yield
