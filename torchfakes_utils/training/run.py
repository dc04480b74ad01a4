"""From a table of crops to a run folder: the configuration, the history, the best detector, and where to go on from."""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from torchfakes_utils.crops.scope import scope_of
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.films import moments
from torchfakes_utils.io.files import sha256_of
from torchfakes_utils.io.machine import torch_device
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.provenance import provenance
from torchfakes_utils.models.run_files import BEST_FOLDER, STATE_FILE
from torchfakes_utils.models.stored import stored_decision
from torchfakes_utils.training.checkpoint import COMPUTED_IN, HISTORY_COLUMNS, EpochRow, RunFolder, claim_run
from torchfakes_utils.training.choice import choose_crops
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import load_crops, size_note
from torchfakes_utils.training.distributed import World, gather, join
from torchfakes_utils.training.interruption import Interruption
from torchfakes_utils.training.journal import Journal
from torchfakes_utils.training.learner import Learner, check_start
from torchfakes_utils.training.patience import ask_patience
from torchfakes_utils.training.precision import autocast
from torchfakes_utils.training.settling import is_settled, settle
from torchfakes_utils.training.trainer import Trainer


@dataclass(frozen=True)
class TrainingResult:
    """What a run came to.

    Attributes:
        best: the row of `history` whose detector is in `run/best`.
        history: a row an epoch, `HISTORY_COLUMNS`.
        run: the run folder.
        note: what the user has to know about the weights that training started from, or None.
    """

    best: EpochRow
    history: pd.DataFrame
    run: Path
    note: str | None = None


def train(
    faces_csv: Path | str,
    out: Path | str,
    config: TrainingConfig = TrainingConfig(),
    on_epoch: Callable[[EpochRow], None] | None = None,
    progress: bool = True,
    most_hours: float | None = None,
    verdicts: bool = True,
) -> TrainingResult:
    """Train on split "train", choose the epoch on split "val"; the same call again finishes an interrupted run.

    Under `torchrun` every process makes this call, and the first one alone writes and speaks.

    Args:
        faces_csv: the table of crops; `extraction.json` beside it, if there, says how they were cut.
        out: the run folder: `config.json`, `history.csv`, `steps.csv`, `best/`, `last.safetensors`.
        config: how to train.
        on_epoch: called with each new row of the history.
        progress: print a line an epoch, and show a bar on a terminal.
        most_hours: on a CPU, how long a run may take that is begun; None asks nobody. A run that has begun goes on.
        verdicts: fix at the end what answers mean, which takes every validation crop once more. Without, the detector
            gives scores and no verdicts, until the same call with it finishes the run.

    Raises:
        InputError: crops or classes lack, it would take too long, `out` holds another run or cannot be written to,
            `weights` cannot be used, a batch does not fit into the GPU's memory, the loss is no longer a number, or
            the run is finished and its detector is gone or damaged.
        KeyboardInterrupt: Ctrl-C; the step in hand was finished and kept.
    """
    faces_csv, out = Path(faces_csv), Path(out)
    with join(torch_device(config.device)) as world:
        if config.processes not in (None, world.size):
            raise InputError(f"{world.size} of {config.processes} processes are there; start them with torchrun")
        say: Callable[[str], object] = print if progress and world.first else lambda line: None
        trainer = _begun(faces_csv, out, config, world, partial(ask_patience, most_hours=most_hours, say=say))
        for line in describe_run(trainer, out):
            say(line)
        # Processes that work together cannot stop between the same two steps: there, a signal ends them at once.
        with _journal(trainer), Interruption(world.size == 1) as trainer.interruption:
            while not trainer.progress.finished(config):
                row = _epoch(trainer, show_bar=progress and world.first)
                say(describe_epoch(row, config.epochs))
                if on_epoch is not None and world.first:
                    on_epoch(row)
                trainer.interruption.follow()
        return _concluded(trainer, out, say, verdicts)


def _begun(
    faces_csv: Path,
    out: Path,
    config: TrainingConfig,
    world: World,
    ask: Callable[[pd.DataFrame, Preprocessing, dict[Path, TrainingConfig], World], None],
) -> Trainer:
    """The trainer of a run whose folder is now ours; `ask` may refuse it before anything is written or fetched."""
    faces, preprocessing = load_crops(faces_csv, config)
    if not (out / STATE_FILE).exists():
        check_start(config, preprocessing)
    ask(faces, preprocessing, {out: config}, world)
    record = asdict(config) | {"faces_sha256": sha256_of(faces_csv)}
    if config.weights is not None:
        record["weights"] = Path(config.weights).name  # the same file from elsewhere is the same run
    if world.first:
        claim_run(out, record)
    gather(world, "claimed")  # nobody reads the folder before its owner has looked at it
    trainer = Trainer(faces, preprocessing, config, world, RunFolder(out, record | provenance()))
    trainer.scope = scope_of(choose_crops(faces, config)[0], faces_csv, config.self_blended > 0)
    if trainer.folder is not None:
        found = {COMPUTED_IN: trainer.learner.precision.name}
        trainer.folder.record |= found
        claim_run(out, record, found)
    return trainer


def _concluded(trainer: Trainer, out: Path, say: Callable[[str], object], verdicts: bool) -> TrainingResult:
    """What came of a run, with its last lines said."""
    config, history, best = trainer.config, trainer.progress.history, trainer.progress.best
    assert best is not None  # the first epoch is the best so far
    if len(history) < config.epochs:
        waited = len(history) - best["epoch"]
        say(f"stopped early: no better validation AUC for {waited} epochs (patience {config.stops_after})")
    say(f"best: epoch {best['epoch']}, validation AUC {best['val_auc']:.3f} (by clip {best['val_auc_clip']:.3f})")
    if trainer.world.first:
        _check_best(out)
        if verdicts and not is_settled(out / BEST_FOLDER):
            say("fixing thresholds on validation, as verdicts will be given")
            settle(out / BEST_FOLDER, trainer.data, config, trainer.scope, trainer.device)
        for caution in stored_decision(out / BEST_FOLDER).cautions:
            say(caution)
    return TrainingResult(best, pd.DataFrame(history, columns=HISTORY_COLUMNS), out, trainer.learner.note)


def _check_best(out: Path) -> None:
    """See that a run which has ended has a detector: training would not make it again.

    Raises:
        InputError: it cannot be loaded.
    """
    try:
        load_detector(out / BEST_FOLDER)
    except InputError as error:
        raise InputError(
            f"{error}. This run is finished, and the same command trains nothing more: delete {out} and train again"
        ) from error


def _journal(trainer: Trainer) -> AbstractContextManager[object]:
    """Inside, the run tells its table of steps and its tracker how it goes."""
    if trainer.folder is None:
        return nullcontext()
    stages = [name for name, (_, tuned) in trainer.detector.parameter_counts().items() if tuned]
    trainer.journal = Journal(
        trainer.folder, trainer.config.tracker, trainer.device, stages, trainer.progress.step, trainer.crops_seen()
    )
    return closing(trainer.journal)


def _epoch(trainer: Trainer, show_bar: bool) -> EpochRow:
    """One more epoch; where a batch does not fit into the memory of the device, which one does is said."""
    try:
        return trainer.epoch(show_bar)
    except torch.OutOfMemoryError:
        pass  # as long as the exception lives, so does all that the batch had on the device
    raise InputError(_what_fits(trainer))


def _what_fits(trainer: Trainer) -> str:
    """After the memory has run out: with which batch it would not, found by trying. It spoils the weights."""
    config, learner = trainer.config, trainer.learner
    learner.optimizer.zero_grad()
    size = learner.detector.preprocessing.size
    lost = f"a batch of {config.batch_size} crops of {size} px does not fit into the memory of {trainer.device}"
    # Several processes would wait for each other's gradients, so that nothing is tried.
    fitting = _largest_that_fits(learner, trainer.data.batch_size) if trainer.world.size == 1 else None
    if fitting is None:
        return f"{lost}; take a smaller batch, a smaller --image-size, or --device cpu, in a new folder"
    times = -(-config.batch_size // fitting) * config.accumulate
    return (
        f"{lost}; {fitting} crops do: --batch-size {fitting} --accumulate {times}, in a new folder, makes steps of "
        f"as many crops"
    )


def _largest_that_fits(learner: Learner, more_than_fits: int) -> int | None:
    """The largest batch that a step can be taken with, of the halves of one that did not fit; None of none."""
    size = more_than_fits // 2
    while size >= 2:  # batch norm has nothing to average over one
        if torch.cuda.is_available():
            torch.cuda.empty_cache()  # one attempt leaves the next one nothing but room
        try:
            _try_step(learner, size)
            return size
        except torch.OutOfMemoryError:
            size //= 2
    return None


def _try_step(learner: Learner, count: int) -> None:
    learner.detector.train()
    edge, device = learner.detector.preprocessing.size, learner.detector.device
    images = torch.zeros(count, 3, edge, edge, device=device).contiguous(memory_format=torch.channels_last)
    with autocast(device, learner.precision.dtype):
        logits = learner.network(images)
    loss = F.binary_cross_entropy_with_logits(logits.float(), torch.zeros(count, device=device))
    torch.autograd.backward(learner.scaler.scale(loss))
    learner.optimizer.step()
    learner.optimizer.zero_grad()


def describe_run(trainer: Trainer, out: Path) -> list[str]:
    """The data, the network and how it is computed, a line each."""
    config, data, detector, progress = trainer.config, trainer.data, trainer.detector, trainer.progress
    counts = detector.parameter_counts()
    total, tuned = (sum(values) for values in zip(*counts.values(), strict=True))
    tuned_stages = ", ".join(name for name, (_, here) in counts.items() if here)
    changed = "all trained" if tuned == total else f"{tuned:,} of them trained ({tuned_stages})"
    together = f", {trainer.world.size} processes" if trainer.world.size > 1 else ""
    lines = [
        f"crops train: {_counts(data.train_faces)}; val: {_counts(data.val_faces)}; {data.crops} drawn an epoch"
        + ("" if config.sampling == "uniform" else ", half of them real")
        + (_alone(data.train_faces) if config.sampling == "paired" else "")
        + (f"; {config.self_blended:.0%} of the fakes drawn are self-blended" if config.self_blended else ""),
        f"{detector.config.architecture} from {detector.config.pretrained or 'random'} weights, {total:,} parameters, "
        f"{changed}; {size_note(config, detector.preprocessing)}; {trainer.learner.precision} on {trainer.device}"
        f"{together}",
    ]
    if (kept := data.kept_in) is not None:
        lines.append(f"decoded crops are kept in {kept}; --cache off does without")
    if progress.finished(config):
        lines.append(f"{out}: this run is finished; another one needs another folder")
    elif progress.step:
        lines.append(f"{out}: going on after step {progress.step}, in epoch {progress.epoch}")
    return lines


def _alone(faces: pd.DataFrame) -> str:
    """How many fakes cannot be paired; "" where all can."""
    moment, real = moments(faces), (faces["label"] == 0).to_numpy()
    fakes = moment[~real]
    alone = len(fakes) - int(np.isin(fakes, moment[real & (moment >= 0)]).sum())
    if not alone:
        return ""
    return f"; {alone:,} of {len(fakes):,} fakes have no crop of their original's same frame (original_id) beside them"


def describe_epoch(row: EpochRow, epochs: int) -> str:
    """A row of the history as a line, with what gives away a network that answers every crop alike."""
    skipped = f" ({row['skipped']} unreadable)" if row["skipped"] else ""
    return (
        f"epoch {row['epoch']}/{epochs} ({row['seconds']:.0f} s): loss {row['train_loss']:.3f} on "
        f"{row['train_real']} real + {row['train_fake']} fake{skipped}; validation loss {row['val_loss']:.3f}, "
        f"AUC {row['val_auc']:.3f} (by clip {row['val_auc_clip']:.3f}), accuracy {row['val_accuracy']:.3f} "
        f"(always “fake”: {row['always_fake_accuracy']:.3f}), balanced {row['val_balanced_accuracy']:.3f}, "
        f"called fake: {row['predicted_fake_rate']:.0%}"
    )


def _counts(faces: pd.DataFrame) -> str:
    fakes = faces.loc[faces["label"] == 1, "method"].value_counts(sort=False).items()
    by_method = ", ".join(f"{name} {count}" for name, count in fakes)
    counts = f"{(faces['label'] == 0).sum()} real, {(faces['label'] == 1).sum()} fake"
    return f"{counts} ({by_method})" if by_method else counts
