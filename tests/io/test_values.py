"""What JSON holds is told apart where Python would take one thing for another."""

import numpy as np
import pytest

from torchfakes_utils.io.values import checked_text, checked_texts, is_count, is_number, is_share


def test_numbers_are_finite_and_no_truth_values():
    assert all(map(is_number, (0, -1.5, np.float32(2), np.int64(3))))
    assert not any(map(is_number, (True, np.True_, "1", None, float("nan"), float("inf"), 10**400, [1])))
    assert is_share(0) and is_share(1.0) and not is_share(1.0001) and not is_share(-1e-9)
    assert is_count(3) and not any(map(is_count, (-1, 3.0, True, 10**400, "3")))


def test_a_text_is_no_list_of_its_letters():
    assert checked_texts(["a", ""], "notes") == ("a", "")
    for wrong in ("abc", None, {"a": 1}, [1]):
        with pytest.raises(TypeError, match="note"):
            checked_texts(wrong, "notes")
    with pytest.raises(ValueError, match="a note of 12 letters, more than 10"):
        checked_text("abcdefghijkl", "a note", 10)
