"""How an answer departs from the expected one, in words; numbers, lists, tuples, NumPy and torch alike are compared."""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Number
from typing import Any

import numpy as np

from torchfakes_utils.language import tr

DEEPEST = 12  # lists in lists; no answer is as deep, and NumPy would look at each of 2^64 lists in lists
TOLERANCE = 1e-4  # relative: float32 beside float64 is no mistake, another formula is
SMALLEST = 1e-6  # absolute, for what should be zero
SHORT = 6  # so many values of an array are told one by one
LONGEST = 110  # characters of an argument that is written out
_NUMBERS = "biufc"  # kinds of NumPy's arrays
_WORDS = {
    "DataFrame": "a table", "Series": "an array", "Index": "an array", "ndarray": "an array", "Tensor": "a tensor",
    "Parameter": "a tensor", "builtin_function_or_method": "a function", "type": "a class", "ellipsis": "…",
    "bytes": "bytes", "int": "a number", "float": "a number", "complex": "a number", "Fraction": "a number",
    "Decimal": "a number", "str": "a text", "NoneType": "None", "_Yielded": "a list",
}  # fmt: skip


def difference(expected: Any, found: Any, tolerance: float = TOLERANCE) -> str:
    """What is different about `found`, as the end of a sentence that begins "because"; empty where nothing is.

    Arrays, tensors, lists and tuples of the same numbers are alike, and so are 1, 1.0, True and a tensor of one
    number. Shapes must agree, order counts, and NaN equals NaN.

    Args:
        expected: a number, text, bool or None; an array or tensor of any shape; or lists, tuples, sets and mappings.
        found: what is compared with it.
        tolerance: relative to the expected value.
    """
    expected = plain(expected)
    found = _with_names(expected, found)
    if expected is None or found is None:
        return "" if expected is found else _apart(describe(found), describe(expected))
    if isinstance(expected, Mapping):
        return _of_mappings(expected, found, tolerance)
    if isinstance(expected, set | frozenset):
        return _of_sets(expected, found)
    if isinstance(expected, str):
        return _of_texts(expected, found)
    wanted = _array(expected)
    if wanted is not None:
        return _of_arrays(wanted, found, tolerance)
    if _is_sequence(expected):
        return _of_sequences(expected, found, tolerance)
    return "" if _equal(expected, found) else _apart(describe(found), describe(expected))


def _apart(own: str, wanted: str) -> str:
    return tr("yours is {own}, and {wanted} is expected", own=own, wanted=wanted)


def describe(value: Any) -> str:
    """A value in a few words: itself where it is short, else its kind and shape."""
    try:
        return _described(value, 0)
    except Exception:  # noqa: BLE001 - an object that raises when it is looked at has a kind all the same
        return kind(value)


def _described(value: Any, depth: int) -> str:
    if _is_table(value):
        return f"a table of shape {value.shape}"
    own = value
    value = plain(own)
    array = None if isinstance(value, str) else _array(value)
    if array is not None and array.ndim == 0:
        return _number(value if isinstance(value, int) else array[()])
    if array is not None and array.ndim == 1 and array.size <= SHORT:
        return f"[{', '.join(_number(each) for each in array)}]"
    if array is not None or isinstance(value, np.ndarray):
        return f"an array of shape {np.shape(value if array is None else array)}"
    if value is None or isinstance(value, str):
        return _clipped(repr(value))
    if isinstance(value, list | tuple) and len(value) <= SHORT and depth < 3:
        return _clipped(f"({', '.join(_described(each, depth + 1) for each in value)})")
    return kind(own)


def written(value: Any) -> str:
    """A value as one types it, where that is short, so that a reader can try the same; else as `describe`."""
    try:
        text = _typed(value)
    except Exception:  # noqa: BLE001 - of no kind that is known here, or it raises when it is looked at
        return describe(value)
    return text if len(text) <= LONGEST else describe(value)


def _typed(value: Any) -> str:
    """Lists in brackets, whatever holds them: `np.array([1, 2])` is as good as `[1, 2]` to those who try."""
    value = plain(value)
    if isinstance(value, np.ndarray):
        value = value.tolist() if value.size <= LONGEST else None
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_typed(name)}: {_typed(each)}' for name, each in value.items())}}}"
    if type(value) in (list, tuple) and len(value) <= LONGEST and not _is_too_deep(value):
        inside = ", ".join(map(_typed, value))
        return f"[{inside}]" if type(value) is list else f"({inside}{',' * (len(value) == 1)})"
    if isinstance(value, Number):
        return _number(value)
    raise ValueError(f"{kind(value)} is not written out")


def counted(number: int, noun: str) -> str:
    """Such as "1 part" and "2 parts"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def kind(value: Any) -> str:
    """What sort of thing a value is, in words: "a table", "an array", "a dict"."""
    name = type(value).__name__
    if name in _WORDS:
        return _WORDS[name]
    name = "".join(each if each.isprintable() else " " for each in name) or "object"
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def as_numbers(value: Any) -> np.ndarray:
    """The numbers in an array, tensor, column, image or list.

    Raises:
        ValueError: there are none, or others too.
    """
    array = _array(plain(value))
    if array is None:
        raise ValueError(f"{describe(value)} holds no numbers")
    return array


def _clipped(text: str, most: int = 60) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _is_table(value: Any) -> bool:
    return hasattr(value, "iloc") and not isinstance(value, type) and value.ndim == 2


def _with_names(expected: Any, found: Any) -> Any:
    """As `plain`; a table is a mapping only where one is expected, and numbers in rows and columns elsewhere."""
    if not _is_table(found) or isinstance(expected, Mapping):
        return plain(found)
    numbers = _array(found.to_numpy())
    return found if numbers is None or isinstance(expected, str) else numbers


def plain(value: Any) -> Any:
    """A tensor as an array, a column or table as an array or mapping; everything else as it is."""
    if hasattr(value, "detach") and hasattr(value, "layout"):
        try:
            return _of_tensor(value)
        except Exception:  # noqa: BLE001 - one without values (meta), or of rows of unequal lengths (nested)
            return value
    if hasattr(value, "iloc") and not isinstance(value, type):
        return {str(name): value[name].to_numpy() for name in value.columns} if value.ndim == 2 else value.to_numpy()
    if isinstance(value, range) or type(value).__name__ in ("dict_keys", "dict_values"):
        return list(value)
    return value


def _of_tensor(value: Any) -> np.ndarray:
    value = value.detach()
    value = value.dequantize() if value.is_quantized else value
    value = (value if str(value.layout) == "torch.strided" else value.to_dense()).cpu().resolve_conj().resolve_neg()
    fine = "float" not in str(value.dtype) or str(value.dtype) in ("torch.float32", "torch.float64")
    found: np.ndarray = (value if fine else value.float()).numpy()
    return found


def _array(value: Any) -> np.ndarray | None:
    """The numbers or bools in a value as an array, None where there are others or they form no array."""
    if isinstance(value, str | bytes | Mapping | set | frozenset) or _is_too_deep(value):
        return None
    if isinstance(value, list | tuple):
        value = [plain(each) for each in value]
    try:
        array = np.asarray(value)
        if array.size == 0:  # holds no number that could be of another kind: an empty column is one of objects
            return array if array.dtype.kind in _NUMBERS else np.empty(array.shape)
        if array.dtype == object:  # big whole numbers, fractions, decimals, tensors
            array = _of_objects(array)
    except Exception:  # noqa: BLE001 - of unequal lengths; an object that is no array, or raises when it is asked
        return None
    return array if array.dtype.kind in _NUMBERS else None


def _of_objects(array: np.ndarray) -> np.ndarray:
    """Numbers of any kind as floats; as they are where one is none."""
    parts = [np.asarray(plain(each)) if hasattr(each, "detach") else each for each in array.ravel()]
    if not all(isinstance(each, Number | np.bool_) or _is_numeric(each) for each in parts):
        return array
    to: Any = complex if any(isinstance(each, complex) for each in parts) else float
    return np.array([to(each) for each in parts]).reshape(array.shape)


def _is_numeric(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in _NUMBERS


def _is_too_deep(value: Any) -> bool:
    """Whether lists stand in lists without end, or so deep that no array has as many axes."""
    level = {id(value): value} if isinstance(value, list | tuple) else {}
    for _ in range(DEEPEST):
        if not level:
            return False
        level = {id(each): each for part in level.values() for each in part if isinstance(each, list | tuple)}
    return bool(level)


def _number(value: Any) -> str:
    if isinstance(value, np.bool_ | bool):
        return str(bool(value))
    return _clipped(str(int(value))) if isinstance(value, int | np.integer) else f"{value:.4g}"


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence | np.ndarray) and not isinstance(value, str | bytes)


def _equal(expected: Any, found: Any) -> bool:
    try:
        return bool(expected == found)
    except Exception:  # noqa: BLE001 - whatever a foreign object does when it is compared, it is not equal
        return False


def _of_arrays(expected: np.ndarray, found: Any, tolerance: float) -> str:
    array = _array(found)
    if array is None:
        wanted = "a number" if expected.ndim == 0 else f"an array of shape {expected.shape}"
        return _apart(describe(found), wanted)
    if array.size == expected.size == 0:  # an empty list is as good as an array (0, 4)
        return ""
    if array.shape != expected.shape:
        wanted = "a single number" if expected.ndim == 0 else f"shape {expected.shape}"
        if array.ndim == 0 and expected.shape == (2,):
            return "yours is a single number, and two numbers are expected"
        own = "a single number" if array.ndim == 0 else f"of shape {array.shape}"
        return _apart(own, wanted)
    kind = np.complex128 if "c" in (expected.dtype.kind, array.dtype.kind) else np.float64
    left, right = expected.astype(kind), array.astype(kind)
    close = np.isclose(right, left, rtol=tolerance, atol=SMALLEST, equal_nan=True)
    return "" if close.all() else _first(expected, array, ~close)


def _first(expected: np.ndarray, found: np.ndarray, differs: np.ndarray) -> str:
    """The first value that differs, where it stands, and how many others do."""
    place = tuple(int(number) for number in np.argwhere(differs)[0])
    own, wanted = _number(found[place]), _number(expected[place])
    if own == wanted:  # only far behind the point
        own, wanted = f"{found[place]:.9g}", f"{expected[place]:.9g}"
    if not place:
        return _apart(own, wanted)
    where = ", ".join(map(str, place))
    text = "yours has {own} at [{where}], where {wanted} is expected ({count} of {all} values differ)"
    return tr(text, own=own, where=where, wanted=wanted, count=differs.sum(), all=differs.size)


def _of_texts(expected: str, found: Any) -> str:
    if not isinstance(found, str):
        return f"yours is {describe(found)}, and the text {expected!r} is expected"
    if found == expected:
        return ""
    if "".join(found.split()).lower() == "".join(expected.split()).lower():
        return f"yours is {found!r}, and {expected!r} is expected: capital letters and blanks count"
    return f"yours is {_clipped(repr(found))}, and {expected!r} is expected"


def _of_mappings(expected: Mapping[Any, Any], found: Any, tolerance: float) -> str:
    if not isinstance(found, Mapping):
        return f"yours is {describe(found)}, and a dict is expected"
    for name in expected:
        if name not in found:
            return f"yours lacks {name!r}"
    for name in found:
        if name not in expected:
            return f"yours has {name!r}, which nobody asked for"
    return _of_parts(((repr(name), expected[name], found[name]) for name in expected), tolerance)


def _of_sets(expected: set[Any] | frozenset[Any], found: Any) -> str:
    if not isinstance(found, set | frozenset | list | tuple):
        return f"yours is {describe(found)}, and a set is expected"
    missing = [each for each in expected if each not in found]
    more = [each for each in found if each not in list(expected)]  # a list in it has no place in a set
    if missing:
        return f"yours lacks {describe(sorted(missing, key=repr)[0])}"
    return f"yours has {describe(sorted(more, key=repr)[0])}, which is not expected" if more else ""


def _of_sequences(expected: Any, found: Any, tolerance: float) -> str:
    if not _is_sequence(found):
        return f"yours is {describe(found)}, and a list of {len(expected)} is expected"
    if len(expected) != len(found):
        verb = "is" if len(expected) == 1 else "are"
        return f"yours has {counted(len(found), 'part')}, and {len(expected)} {verb} expected"
    parts = zip(map(str, range(len(expected))), expected, found, strict=True)
    return _of_parts(parts, tolerance)


def _of_parts(parts: Iterable[tuple[str, Any, Any]], tolerance: float) -> str:
    for name, expected, found in parts:
        if text := difference(expected, found, tolerance):
            return f"in part {name}, {text}"
    return ""
