"""Other people's files of weights: read as numbers only, and brought into the form in which a network has its own.

No pickle is ever trusted. Of what training loops and wrappers leave around the numbers, the part is taken that fits.
"""

import re
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

Numbers = Mapping[str, torch.Tensor]

# What torch itself puts between the parts of a name, wherever it wraps a module.
_WRAPPED = re.compile(r"\b(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
# A network lies at most so deep in what a training loop keeps.
_DEPTH = 4
# Tensors without a place, as a share of the network's, from which on they are no mere classifier of another task.
_SURPLUS = 0.05
_ARCHIVE = b"PK\x03\x04"


class UnusableWeightsError(Exception):
    """Weights that cannot be had or used; the text is the reason, made to stand in brackets."""


@dataclass(frozen=True)
class Fitted:
    """What a file holds for a network.

    Attributes:
        state: a tensor for each name of the network's own state, in its shape and type.
        notes: what was done to make them fit, a line each; their user has to know.
    """

    state: dict[str, torch.Tensor]
    notes: list[str]


@dataclass(frozen=True)
class _Candidate:
    """A place in a file at which numbers lie, and the words before their names that are none of the network's."""

    place: tuple[str, ...]
    prefix: str
    numbers: Numbers
    matches: int


def read_weights(path: Path) -> Any:
    """What a file of safetensors or of torch holds, whatever its ending says.

    Raises:
        UnusableWeightsError: unreadable, or more than numbers.
    """
    try:
        if not path.is_file():
            raise UnusableWeightsError("not a file" if path.exists() else "no such file")
        with path.open("rb") as file:
            start = file.read(9)
        if path.suffix == ".safetensors" or (start[8:] == b"{" and not start.startswith(_ARCHIVE)):
            return safetensors.torch.load_file(path)
        if start.startswith(_ARCHIVE):
            _check_archive(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the older kinds of files may hold
            return torch.load(path, map_location="cpu", weights_only=True)
    except UnusableWeightsError:
        raise
    except OSError as error:
        raise UnusableWeightsError(error.strerror or str(error)) from error
    except Exception as error:  # a broken pickle fails wherever its bytes lead
        found = re.search(r"(?:GLOBAL|global:?) (?!GLOBAL)([\w.]+)", str(error))
        if found is None:
            raise UnusableWeightsError(_what_else(start)) from error
        raise UnusableWeightsError(
            f"beside weights it holds {found[1][:80]}, and to read that could run code; save the network's "
            "state_dict() alone"
        ) from error


def _what_else(start: bytes) -> str:
    """What often lies where weights are thought to be, by how it begins."""
    if start.startswith(b"version h"):
        return "not a file of weights, but the pointer that Git LFS keeps in its place; run git lfs pull"
    if start.lstrip()[:1] == b"<":
        return "not a file of weights, but a web page"
    return "not a file of weights"


def _check_archive(path: Path) -> None:
    """Refuse what takes more memory than the file is long: torch packs nothing."""
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
            raise UnusableWeightsError("the weights in it are packed, which torch never does; save them again")


def fit(content: Any, own: Numbers, head: set[str]) -> Fitted:
    """Find a network's numbers in what a file holds.

    Wrappers are seen through: dictionaries in dictionaries, and words before all names, such as "module.". Where
    several places fit as well, an average ("ema") is taken, else the first. Of a classifier with two outputs the logit
    is what the second says more than the first: softmax of two is the sigmoid of their difference. A classifier of
    anything else is left as the network has it.

    Args:
        content: of a file.
        own: the network's state.
        head: which of its names belong to the last layer.

    Raises:
        UnusableWeightsError: it lacks a tensor, or has one of another shape or with NaN in it.
    """
    best, others = _best(content, own)
    notes = []
    if others:
        places = " or ".join(_called(one) for one in others)
        notes.append(f"the weights are those of {_called(best)}, not of {places}")
    theirs = {name: best.numbers[best.prefix + name] for name in own if best.prefix + name in best.numbers}
    surplus = [name for name in best.numbers if name.startswith(best.prefix) and name[len(best.prefix) :] not in own]
    if len(surplus) > _SURPLUS * len(own):
        notes.append(
            f"{len(surplus)} of its tensors have no place in this network (one is {surplus[0][:80]}): if it is another "
            "network's, choose that --architecture"
        )
    _check_complete({name for name in own if not (name in head or name.endswith("num_batches_tracked"))}, theirs)
    state, classifier = {}, _classifier(own, theirs, head, notes)
    for name, value in own.items():
        # Counters are younger than some weights, and nothing here uses them.
        state[name] = classifier[name] if name in head else checked(name, theirs.get(name, value), value)
    return Fitted(state, notes)


def _best(content: Any, own: Numbers) -> tuple[_Candidate, list[_Candidate]]:
    """Where most of a network's numbers lie, and where just as many do."""
    found = [candidate for place, numbers in places(content) for candidate in _candidates(place, numbers, own)]
    if not found:
        held = list(dict.fromkeys(name for _, numbers in places(content) for name in numbers))
        if not held:
            raise UnusableWeightsError("not a file of weights: it holds no tensors by name")
        raise UnusableWeightsError(f"none of its {len(held)} tensors is named as this network's; one is {held[0][:80]}")
    most = max(candidate.matches for candidate in found)
    equal = [candidate for candidate in found if candidate.matches == most]
    best = next((candidate for candidate in equal if "ema" in _called(candidate).lower()), equal[0])
    return best, [candidate for candidate in equal if candidate is not best]


def places(content: Any) -> Iterator[tuple[tuple[str, ...], Numbers]]:
    """Every dictionary with tensors by name, however deep, and the words that lead there."""
    waiting: list[tuple[tuple[str, ...], Any]] = [((), content)]
    seen: set[int] = set()
    while waiting:
        place, one = waiting.pop(0)
        if not isinstance(one, Mapping) or id(one) in seen:
            continue
        seen.add(id(one))  # what holds itself would have no end
        numbers = {name: value for name, value in one.items() if isinstance(name, str) and _is_plain(value)}
        if numbers:
            yield place, {_WRAPPED.sub("", name): value for name, value in numbers.items()}
        if len(place) < _DEPTH:
            waiting += [((*place, str(name)), value) for name, value in one.items()]


def _is_plain(value: object) -> bool:
    if not isinstance(value, torch.Tensor) or value.layout is not torch.strided:
        return False
    return not (value.is_meta or value.is_quantized or value.is_complex())


def _candidates(place: tuple[str, ...], numbers: Numbers, own: Numbers) -> list[_Candidate]:
    """The words before names with which most of them are the network's."""
    counts: Counter[str] = Counter()
    for name in numbers:
        parts = name.split(".")
        counts.update(
            ".".join(parts[:cut]) + "." * (cut > 0) for cut in range(len(parts)) if ".".join(parts[cut:]) in own
        )
    most = max(counts.values(), default=0)
    return [_Candidate(place, prefix, numbers, most) for prefix, count in counts.items() if count == most]


def _called(candidate: _Candidate) -> str:
    return "/".join((*candidate.place, f"{candidate.prefix}*"))[:80]


def _check_complete(wanted: set[str], theirs: Numbers) -> None:
    missing = sorted(wanted - set(theirs))
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise UnusableWeightsError(f"{missing[0]}{more} of {len(wanted)} tensors absent")


def _classifier(own: Numbers, theirs: Numbers, head: set[str], notes: list[str]) -> Numbers:
    """The last layer: theirs, if it answers with one or two outputs; else the network's own."""
    if not head:
        return {}
    if not head <= set(theirs):
        notes.append("it has no classifier of this name: ours begins at zero")
        return {name: own[name] for name in head}
    if all(theirs[name].shape == own[name].shape for name in head):
        return {name: checked(name, theirs[name], own[name]) for name in head}
    outputs = {theirs[name].shape[0] if theirs[name].ndim else 0 for name in head}
    if outputs == {2} and all(theirs[name].shape[1:] == own[name].shape[1:] for name in head):
        notes.append(
            "its classifier has two outputs: the logit is the second, taken for fake, less the first (if the first is "
            "fake, it begins by saying the opposite)"
        )
        return {name: checked(name, difference_of_two(name, theirs[name]), own[name]) for name in head}
    number = " or ".join(map(str, sorted(outputs)))
    notes.append(f"its classifier has {number} outputs, not 1 or 2, or other inputs: ours begins at zero")
    return {name: own[name] for name in head}


def difference_of_two(name: str, value: torch.Tensor) -> torch.Tensor:
    """Of a last layer's weights (2, C) or biases (2,) for real and fake those of fake less real, (1, C) or (1,).

    Softmax of two logits is the sigmoid of their difference.

    Raises:
        UnusableWeightsError: there are not two, or they are no fractions.
    """
    check_fractions(name, value)
    if value.ndim == 0 or value.shape[0] != 2:
        raise UnusableWeightsError(f"{name} has the shape {_times(value.shape)}, and should answer with two logits")
    return value[1:].double() - value[:1].double()


def checked(name: str, given: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """A tensor in the type of the network's.

    Raises:
        UnusableWeightsError: it has another shape, whole numbers for fractions, or what is no number.
    """
    if own.is_floating_point():
        check_fractions(name, given)
    if given.shape != own.shape:
        raise UnusableWeightsError(f"{name} has the shape {_times(given.shape)}, not {_times(own.shape)}")
    value = given.to(own.dtype)
    if not torch.isfinite(value).all():
        raise UnusableWeightsError(f"{name} holds numbers that are not finite (NaN or infinity)")
    if has_negative_variances(name, value):
        raise UnusableWeightsError(f"{name} holds variances below zero")
    return value


def check_fractions(name: str, value: torch.Tensor) -> None:
    """Refuse weights of a type that has no fractions: of numbers that were made whole, nobody knows the scale.

    Raises:
        UnusableWeightsError: they are.
    """
    if not value.is_floating_point():
        kind = str(value.dtype).removeprefix("torch.")
        raise UnusableWeightsError(f"{name[:80]} is of the type {kind}, and weights are fractions, not quantised ones")


def has_negative_variances(name: str, value: torch.Tensor) -> bool:
    """Whether a tensor is of a batch norm that would divide by the root of a negative number."""
    return name.endswith("running_var") and bool((value < 0).any())


def _times(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape)) or "one number"
