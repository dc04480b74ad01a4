"""A right answer as a lesson can use it: of the type that the lesson's own function gives, and without side effects.

A check takes a tensor, a list or a generator for an array; the lesson below indexes, multiplies and prints it.
"""

import copy
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from torchfakes_utils.course import comparison


def as_expected(function: Callable[..., Any], samples: Sequence[Any], careful: bool = False) -> Callable[..., Any]:
    """A function whose outcome has the type of some samples.

    Args:
        function: what a learner wrote.
        samples: what the lesson's own gave, once for each case.
        careful: it gets copies of the arrays, tensors, tables and lists that it is given, for it changes them.
    """

    @functools.wraps(function)
    def handed_on(*words: Any, **more: Any) -> Any:
        if careful:
            words, more = copied(words), copied(more)
        return alike(function(*words, **more), samples)

    return handed_on


def fits(found: Any, sample: Any) -> bool:
    """Whether a lesson that is made for a sample can use what was found as it is: the same types, all the way down."""
    if type(found) is not type(sample):
        return False
    if hasattr(sample, "dtype"):
        return bool(found.dtype == sample.dtype)
    if isinstance(sample, Mapping):
        return all(name in found and fits(found[name], sample[name]) for name in sample)
    if isinstance(sample, list | tuple):
        return len(found) == len(sample) and all(map(fits, found, sample))
    return True


def alike(found: Any, samples: Sequence[Any]) -> Any:
    """What was found, as the type of the samples; as it is where they have several types, or it cannot become one."""
    found = list(found) if isinstance(found, Iterator) else found
    samples = [sample for sample in samples if sample is not None]
    if found is None or len({type(sample) for sample in samples}) != 1:
        return found
    try:
        return _as(found, samples)
    except Exception:  # noqa: BLE001 - a lesson's input that is unlike the check's; the lesson's own line says what
        return found


def _as(found: Any, samples: list[Any]) -> Any:
    sample = samples[0]
    if isinstance(sample, np.ndarray):
        return _as_array(found, sample)
    if _is_tensor(sample):
        return _as_tensor(found, sample)
    if isinstance(sample, bool | int | float | np.generic) and not isinstance(sample, str | bytes):
        return _as_number(found, sample)
    if isinstance(sample, Mapping):
        return _as_mapping(found, samples)
    if isinstance(sample, set | frozenset | str | bytes):
        return type(sample)(found)
    if hasattr(sample, "iloc") and isinstance(found, Mapping):
        return type(sample)(found)
    if isinstance(sample, list | tuple):
        return _as_sequence(found, samples)
    return found


def _is_tensor(value: Any) -> bool:
    return hasattr(value, "detach") and hasattr(value, "layout")


def _as_array(found: Any, sample: np.ndarray) -> np.ndarray:
    found = sorted(found) if isinstance(found, set | frozenset) else found
    array = np.asarray(found.to_numpy() if hasattr(found, "iloc") else comparison.as_numbers(found))
    return array if array.dtype == sample.dtype else array.astype(sample.dtype)


def _as_tensor(found: Any, sample: Any) -> Any:
    if _is_tensor(found):
        return found.to(sample.dtype)
    return sample.new_tensor(comparison.as_numbers(found))


def _as_number(found: Any, sample: Any) -> Any:
    number = np.asarray(comparison.as_numbers(found)).reshape(())[()]
    whole = isinstance(sample, int | np.integer) and not isinstance(sample, bool)
    return type(sample)(round(float(number)) if whole and not isinstance(found, int) else number)


def _as_mapping(found: Any, samples: list[Mapping[Any, Any]]) -> Any:
    given = found.to_dict() if hasattr(found, "iloc") else dict(found)
    values = [value for sample in samples for value in sample.values()]
    made = {name: alike(own, [each[name] for each in samples if name in each] or values) for name, own in given.items()}
    kind: Any = type(samples[0])
    return kind(made)


def _as_sequence(found: Any, samples: list[Any]) -> Any:
    kind = type(samples[0])
    if isinstance(found, set | frozenset):
        return kind(sorted(_as_sequence(list(found), samples)))
    if _is_tensor(found) or hasattr(found, "iloc"):
        found = found.tolist()
    elif isinstance(found, np.ndarray) or not isinstance(found, list | tuple):
        found = list(found)
    if kind is tuple and len({len(sample) for sample in samples}) == 1 and len(found) == len(samples[0]):
        parts = [alike(each, [sample[place] for sample in samples]) for place, each in enumerate(found)]
    else:
        within = [each for sample in samples for each in sample]
        parts = [alike(each, within) for each in found]
    return kind(*parts) if hasattr(kind, "_fields") else kind(parts)


def copied(value: Any) -> Any:
    """A copy, of numbers and lists of them, not of networks: what a function learns must stay."""
    if _is_tensor(value):
        return value.clone()
    if isinstance(value, np.ndarray) or hasattr(value, "iloc"):
        return value.copy()
    if type(value) in (list, tuple, set):
        return type(value)(map(copied, value))
    if type(value) is dict:
        return {name: copied(each) for name, each in value.items()}
    return copy.copy(value) if isinstance(value, bytearray) else value
