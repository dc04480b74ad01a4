"""Weights as other people save them, and files that would run code if they were trusted."""

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cases.registry import add, case

WEIGHTS, TRAPS = "other people's weights", "weights that would run code"

# The network that all of these are of, and how training is asked to begin with them.
SIZE = 64
TRAIN = ("train {faces} --out {folder}/out --architecture Meso4 --image-size 64 --epochs 1 --crops-per-epoch 8"
         " --batch-size 4 --device cpu --weights {path}")  # fmt: skip
LOADS = r"the detector of epoch \d+ is in"
REFUSED = r"^torchfakes: .*(weights|checkpoint)"


def state(seed: int = 16) -> dict:
    """The numbers of a small network, by name."""
    import torch

    from torchfakes_utils.models.architectures import Meso4

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Meso4(SIZE).state_dict()


def head(numbers: dict) -> tuple[str, str]:
    """The names of the last layer's weight and bias."""
    weight, bias = list(numbers)[-2:]
    return weight, bias


def two_classes(numbers: dict, rows: int = 2) -> dict:
    """The same answers from one output a class, "real" first: their difference is the one logit; more are others'."""
    import torch

    weight, bias = head(numbers)
    halves = {name: torch.cat([-numbers[name] / 2, numbers[name] / 2] + [numbers[name] * 0] * (rows - 2))
              for name in (weight, bias)}  # fmt: skip
    return numbers | halves


def prefixed(numbers: dict, prefix: str = "module.") -> dict:
    """With a word before each name, as wrappers leave it."""
    return {prefix + name: value for name, value in numbers.items()}


def one_bad(numbers: dict, bad: float) -> dict:
    """With one number that is none."""
    import torch

    weight, _ = head(numbers)
    changed = torch.clone(numbers[weight])
    changed[0, 0] = bad
    return numbers | {weight: changed}


def other_shape(numbers: dict) -> dict:
    """With one layer of another shape."""
    import torch

    first = next(iter(numbers))
    return numbers | {first: torch.zeros(8, 3, 7, 7)}


def without_one(numbers: dict) -> dict:
    """Without its first layer."""
    return dict(list(numbers.items())[1:])


def as_doubles(numbers: dict) -> dict:
    """In 64 bits."""
    return {name: value.double() if value.is_floating_point() else value for name, value in numbers.items()}


def as_halves(numbers: dict) -> dict:
    """In 16 bits."""
    return {name: value.half() if value.is_floating_point() else value for name, value in numbers.items()}


def in_training(numbers: dict) -> dict:
    """What a training loop keeps to go on."""
    optimiser = {"state": {0: {"step": 3}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
    return {"epoch": 7, "state_dict": prefixed(numbers), "optimizer": optimiser, "best_acc": 0.93}


_SAVED: dict[str, tuple[str, Callable[[dict], object], str | None]] = {
    "plain": ("as the network has them", lambda n: n, LOADS),
    "module. before each": ("of a network on several devices", prefixed, LOADS),
    "model. before each": ("of a network inside another", partial(prefixed, prefix="model."), LOADS),
    "_orig_mod. before each": ("of a compiled network", partial(prefixed, prefix="_orig_mod."), LOADS),
    "module.backbone. before each": ("of a network inside another on several devices",
                                     partial(prefixed, prefix="module.backbone."), LOADS),
    "in state_dict": ("under the word state_dict", lambda n: {"state_dict": n}, LOADS),
    "in model_state_dict": ("under the word model_state_dict", lambda n: {"model_state_dict": n, "epoch": 3}, LOADS),
    "in model": ("under the word model", lambda n: {"model": n, "args": {"lr": 0.1}}, LOADS),
    "in net, in net": ("two words deep", lambda n: {"net": {"state_dict": n}}, LOADS),
    "a whole training": ("with the optimiser, module. before each", in_training, LOADS),
    "two classes": ("with one output a class: the logit is their difference", two_classes, LOADS),
    "two classes of a wrapper": ("the same, wrapped and prefixed",
                                 lambda n: {"state_dict": prefixed(two_classes(n))}, LOADS),
    "a thousand classes": ("with a thousand outputs: what they name is something else",
                           partial(two_classes, rows=1000), r"classifier|head|1000|outputs"),
    "of 16 bits": ("as half precision", as_halves, LOADS),
    "of 64 bits": ("as double precision", as_doubles, LOADS),
    "with NaN": ("one of which is NaN", partial(one_bad, bad=float("nan")), r"nan|not finite|no number"),
    "with infinity": ("one of which is infinite", partial(one_bad, bad=float("inf")), r"inf|finite|no number"),
    "of another shape": ("whose first layer is larger", other_shape, r"shape.*\d+"),
    "with a layer missing": ("without the first layer", without_one, r"absent|lack|missing"),
    "of nothing": ("an empty dictionary", lambda n: {}, REFUSED),
    "a list": ("a list of numbers instead of names", lambda n: [1, 2, 3], REFUSED),
    "one tensor": ("one tensor instead of names", lambda n: n[head(n)[0]], REFUSED),
    "numbers for names": ("whose names are numbers", lambda n: dict(enumerate(n.values())), REFUSED),
}  # fmt: skip


def saved(folder: Path, change: Callable[[dict], object]) -> Path:
    """A checkpoint as torch writes it."""
    import torch

    path = folder / "weights.pth"
    torch.save(change(state()), path)
    return path


for _name, (_what, _change, _answer) in _SAVED.items():
    add(f"weights {_name}", WEIGHTS, f"a checkpoint, {_what}", partial(saved, change=_change), command=TRAIN,
        answer=_answer)  # fmt: skip


@case(
    "weights in safetensors, prefixed", WEIGHTS, "numbers alone, module. before each name", command=TRAIN, answer=LOADS
)
def safe(folder: Path) -> Path:
    import safetensors.torch

    path = folder / "weights.safetensors"
    safetensors.torch.save_file(prefixed(state()), path)
    return path


@case(
    "weights of the older kind",
    WEIGHTS,
    "a checkpoint as torch wrote it before 1.6",
    command=TRAIN,
    steady=False,
    answer=LOADS,
)
def older(folder: Path) -> Path:
    import torch

    path = folder / "weights.pth"
    torch.save(state(), path, _use_new_zipfile_serialization=False)
    return path


@case("weights under another ending", WEIGHTS, "numbers of safetensors, called .pth", command=TRAIN)
def misnamed(folder: Path) -> Path:
    return safe(folder).rename(folder / "weights.pth")


@case("half of the weights", WEIGHTS, "a checkpoint cut off in the middle", command=TRAIN, answer=REFUSED)
def halved(folder: Path) -> Path:
    path = saved(folder, dict)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


# What runs code where it is trusted. A trap that sprang leaves this folder.
SPRUNG = "it-ran"


class _Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __reduce__(self):
        return (os.mkdir, (str(self._folder / SPRUNG),))


def trapped(folder: Path, kind: str) -> Path:
    """A file of weights that makes `SPRUNG` when it is trusted."""
    import torch

    path, trap = folder / "weights.pth", _Trap(folder)
    if kind == "pickle":
        path.write_bytes(pickle.dumps(trap))
    elif kind == "checkpoint":
        torch.save({"state_dict": state(), "args": trap}, path)
    elif kind == "older checkpoint":
        torch.save({"state_dict": state(), "args": trap}, path, _use_new_zipfile_serialization=False)
    elif kind == "whole network":
        torch.save({"model": torch.nn.Linear(2, 2), "args": trap}, path)
    elif kind == "text":
        path.write_bytes(f"cos\nmkdir\n(V{folder / SPRUNG}\ntR.".encode())
    else:
        import numpy as np

        path = folder / "weights.npy"
        np.save(path, np.array([trap], object), allow_pickle=True)
    return path


for _kind in ("pickle", "checkpoint", "older checkpoint", "whole network", "text", "array"):
    add(f"a trap in a {_kind}", TRAPS, "what makes a folder when it is trusted", partial(trapped, kind=_kind),
        command=TRAIN, answer=REFUSED, steady=False)  # fmt: skip


@case("names beside the archive", TRAPS, "a checkpoint whose archive holds names with .. in them", command=TRAIN,
      answer=REFUSED)  # fmt: skip
def climbing_archive(folder: Path) -> Path:
    path = folder / "weights.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("../../climbed.txt"), "outside")
        archive.writestr(zipfile.ZipInfo("archive/data.pkl"), pickle.dumps({}))
    return path


@case(
    "an archive of half a gigabyte",
    TRAPS,
    "a checkpoint of half a megabyte that unpacks to half a gigabyte",
    command=TRAIN,
    answer=REFUSED,
    hungry=True,
    slow=True,
)
def archive_bomb(folder: Path, megabytes: int = 512) -> Path:
    path = folder / "weights.pth"
    with zipfile.ZipFile(saved(folder, lambda n: {"x": n[head(n)[0]]})) as given:
        parts = {info.filename: given.read(info) for info in given.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if "/data/" not in name:
                archive.writestr(info, content)
                continue
            with archive.open(info, "w", force_zip64=True) as file:
                for _ in range(megabytes):
                    file.write(bytes(1_000_000))
    return path


def forged_safe(folder: Path, header: dict | None, length: int | None = None) -> Path:
    """A file of safetensors whose header lies."""
    text = json.dumps(header).encode()
    path = folder / "weights.safetensors"
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + bytes(64))
    return path


for _name, _header, _length in (
    ("a header of exabytes", {}, 2**62),
    ("a tensor beyond the end", {"x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}, None),
    ("tensors that overlap", {name: {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]} for name in "ab"}, None),
    ("a tensor of no shape", {"x": {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}}, None),
):  # fmt: skip
    add(f"safetensors: {_name}", TRAPS, "numbers alone, of which the header lies",
        partial(forged_safe, header=_header, length=_length), command=TRAIN, answer=REFUSED)  # fmt: skip
