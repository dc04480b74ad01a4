"""Which crops of a table a run takes, and how much of them an epoch is; asked before a run begins, and by the run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from torchfakes_utils.crops.self_blending import SELF_BLENDED, are_faces
from torchfakes_utils.crops.table import limit_frames
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.films import NOWHERE, films, splits_of_originals
from torchfakes_utils.faces.outline import outlines_of
from torchfakes_utils.faces.quality import filter_blurred
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.metrics.config import FRAMES
from torchfakes_utils.training.config import TrainingConfig

_HELD_OUT = ["val", "test"]


def choose_crops(faces: pd.DataFrame, config: TrainingConfig) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What a run takes of a table: the crops that it trains on, and those that it is validated on.

    Args:
        faces: from `load_faces`, as far as they can be read.
        config: of the run.

    Raises:
        InputError: no such method, or not one crop of a class is left.
    """
    asked = _only(faces, config.methods)
    held_out = (asked["split"] == "train") & splits_of_originals(asked).isin(_HELD_OUT)
    chosen = filter_blurred(asked[~held_out], config.min_sharpness)
    train, val = (chosen[chosen["split"] == split].reset_index(drop=True) for split in ("train", "val"))
    if config.self_blended == 1:
        train, val = train[train["label"] == 0].reset_index(drop=True), with_self_blends(val)
    if config.val_frames_per_clip is not None:
        val = limit_frames(val, config.val_frames_per_clip)
    why = [f"blurrier than {config.min_sharpness:g} (--min-sharpness)"] if config.min_sharpness else []
    why += ["whose originals are in validation or test (original_id)"] if held_out.any() else []
    _check_classes(train, "training", why, classes=(0,) if config.self_blended == 1 else (0, 1))
    _check_classes(val, "validation", [])
    return train, val


def crops_to_decide_on(faces: pd.DataFrame, config: TrainingConfig) -> pd.DataFrame:
    """The validation crops that thresholds are fixed on: of each clip as many as its verdict would rest on.

    `faces` and `config` are as for `choose_crops`.
    """
    asked = _only(faces, config.methods)
    val = asked[asked["split"] == "val"]
    return limit_frames(with_self_blends(val) if config.self_blended == 1 else val, FRAMES)


def with_self_blends(val: pd.DataFrame) -> pd.DataFrame:
    """Validation crops; where there is no fake among them, each real one a second time, to be blended with itself."""
    if (val["label"] == 1).any():
        return val
    blends = _blendable(val)
    return pd.concat(
        [val, blends.assign(label=1, method=SELF_BLENDED, original_id=blends["clip_id"])], ignore_index=True
    )


def check_blendable(faces: pd.DataFrame, faces_csv: Path | str) -> None:
    """See that fakes can be made of real crops, in training and, where there are no others, in validation.

    Raises:
        InputError: there are no real crops, or none with landmarks.
    """
    for split in ("train", "val"):
        here = faces[faces["split"] == split]
        reals = here[here["label"] == 0]
        if reals.empty:
            raise InputError(
                f"{faces_csv}: split {split!r} has no real crops, of which self-blended fakes are made; check the "
                "columns `split` and `label` of clips.csv"
            )
        if (split == "train" or len(reals) == len(here)) and _blendable(reals).empty:
            raise InputError(
                f"{faces_csv}: no real crop of split {split!r} has landmarks, which self-blended fakes need; run "
                "`torchfakes extract`"
            )


def _blendable(faces: pd.DataFrame) -> pd.DataFrame:
    """The rows whose face has an outline."""
    return faces[are_faces(torch.from_numpy(outlines_of(faces))).numpy()]


def _check_classes(crops: pd.DataFrame, name: str, why: list[str], classes: Sequence[int] = (0, 1)) -> None:
    """See that all `classes` are there; `why` says of which crops nothing was taken, beside unreadable ones.

    Raises:
        InputError: one is not.
    """
    counts = real, fake = [int((crops["label"] == label).sum()) for label in (0, 1)]
    if not all(counts[label] for label in classes):
        left_out, wanted = ", or ".join(["that cannot be read", *why]), "both" if len(classes) > 1 else "real ones"
        raise InputError(
            f"{name} has {real} real and {fake} fake crops, and takes {wanted}; left out are those {left_out}"
        )


def originals_elsewhere(faces: pd.DataFrame, config: TrainingConfig) -> list[str]:
    """What has to be known of fakes whose originals lie where they should not, a line each; as for `choose_crops`."""
    fakes = faces.assign(original=films(faces), lies_in=splits_of_originals(faces))[faces["label"] == 1]
    fakes = _only(fakes, config.methods).drop_duplicates(CLIP_KEY)
    train, val = (fakes[fakes["split"] == split] for split in ("train", "val"))
    found = {
        "in training are left out, for their originals are in validation or test": (train, _HELD_OUT),
        "in training name an original that the table does not hold": (train, [NOWHERE]),
        "in validation have their originals in training, which knows them": (val, ["train"]),
    }
    lines = []
    for text, (of, where) in found.items():
        if (some := of["lies_in"].isin(where)).any():
            first = of[some].iloc[0]
            such = f"original_id, such as {first['original']} of {first['clip_id']}"
            lines.append(f"{some.sum():,} of {len(of):,} fake clips {text} ({such})")
    return lines


def _only(faces: pd.DataFrame, methods: tuple[str, ...] | None) -> pd.DataFrame:
    """The reals, and the fakes of some manipulations."""
    if methods is None:
        return faces
    there = sorted(faces.loc[faces["label"] == 1, "method"].unique())
    for name in methods:
        if name not in there:
            raise InputError(f"no fakes of the method {name!r} in the table; there are {', '.join(there) or 'none'}")
    return faces[(faces["label"] == 0) | faces["method"].isin(methods)]


@dataclass(frozen=True)
class EpochSize:
    """How much an epoch is.

    Attributes:
        crops: that are drawn for it.
        batch_size: crops of a batch: those asked for, or all where they are fewer.
        batches: full ones, as many as make whole steps; what is left over is not looked at.
    """

    crops: int
    batch_size: int
    batches: int


def epoch_size(train_faces: pd.DataFrame, config: TrainingConfig, processes: int = 1) -> EpochSize:
    """How much an epoch over such crops is, from `choose_crops`, with so many processes that share a batch.

    Raises:
        InputError: the crops do not make one step.
    """
    crops = config.crops_per_epoch or max(2, int((train_faces["label"] == 0).sum()))
    batch_size = min(config.batch_size, crops // processes * processes)
    batches = crops // batch_size // config.accumulate * config.accumulate if batch_size else 0
    if not batches:
        raise InputError(
            f"{crops} crops an epoch do not fill {config.accumulate} batches of {batch_size or processes}; accumulate "
            "fewer, or draw more crops"
        )
    return EpochSize(crops, batch_size, batches)
