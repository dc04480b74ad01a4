"""What learners write is judged in one line, whatever they write, and a lesson never stops at it."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from torchfakes_utils.course import exercise_table, practice
from torchfakes_utils.course.practice import Exercise, State

from helpers.exercises import assert_teaches


def weights(labels):
    counts = np.bincount(labels, minlength=2)
    return 1 / counts[labels]


WEIGHTS = Exercise(
    "weights",
    "A weight for each crop",
    minutes=5,
    difficulty=1,
    reference=weights,
    cases=lambda generator: [(np.r_[0, 1, generator.random(size) < 0.2].astype(int),) for size in (9, 30, 100)],
    wrong={
        "You give a rare class less weight; divide by its count.": lambda labels: np.bincount(labels)[labels],
        "Class order is swapped.": lambda labels: 1 / np.bincount(1 - labels)[labels],
        "One weight for each crop, not for each class.": lambda labels: 1 / np.bincount(labels),
    },
    afterwards="Both classes now weigh the same.",
)


def said(function, capsys, exercise=WEIGHTS):
    capsys.readouterr()
    practice.check(exercise, function)
    return capsys.readouterr().out


def test_every_answer_gets_its_own_line():
    def looped(labels):
        labels = labels.tolist()
        return [1 / labels.count(label) for label in labels]

    def tensors(labels):
        labels = torch.as_tensor(labels)
        return 1 / torch.bincount(labels)[labels].float()

    def of_all(labels):
        return np.full(len(labels), 1 / len(labels))

    def floored(labels):
        return 1 // np.bincount(labels)[labels]

    def by_name(labels):
        return labels.counts

    assert_teaches(
        WEIGHTS,
        right=[looped, tensors, lambda labels: (1 / value for value in np.bincount(labels)[labels])],
        wrong={
            "divide by its count": lambda labels: torch.bincount(torch.as_tensor(labels))[labels],
            "swapped": lambda labels: [1 / (labels != label).sum() for label in labels],
            "not for each class": lambda labels: [1 / (labels == 0).sum(), 1 / (labels == 1).sum()],
            "stopped with AttributeError": by_name,
            "a text": lambda labels: "a text",
        },
    )
    for answer in (of_all, floored):
        assert "where" in practice.judge(WEIGHTS, answer).text


def test_the_helper_refuses_an_exercise_that_does_not_teach():
    wrong = {
        "divide by": lambda labels: np.bincount(labels)[labels],
        "swapped": WEIGHTS.wrong["Class order is swapped."],
    }
    with pytest.raises(AssertionError, match="3 wrong answers"):
        assert_teaches(WEIGHTS, wrong=wrong)
    with pytest.raises(AssertionError, match="Right"):
        assert_teaches(WEIGHTS, wrong=wrong | {"anything": weights})
    with pytest.raises(AssertionError, match="also said"):
        assert_teaches(WEIGHTS, wrong=wrong | {"Not yet": lambda labels: 0})
    twice = {"one": lambda labels: labels, "two": lambda labels: labels + 0.0}
    with pytest.raises(AssertionError, match="'two' is not in"):
        assert_teaches(replace(WEIGHTS, wrong=twice), wrong=wrong | {"one": lambda labels: labels})


def empty(labels):
    """With a docstring."""


def marked(labels):
    np.bincount(labels)
    # your code here


def unwritten(labels):
    raise NotImplementedError


def unreturned(labels):
    counts = np.bincount(labels)
    counts / 2


def printing(labels):
    print(weights(labels))


def in_place(labels):
    labels[:] = 0


def too_many(labels, more):
    return labels


def out_of_range(labels):
    np.bincount(labels)
    return labels[len(labels)]


def leaving(labels):
    raise SystemExit


def long_winded(labels):
    raise ValueError("first line\nsecond line " + "x" * 500)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (empty, "Not attempted yet: `weights` returns nothing."),
        (marked, "Not attempted yet: `weights` returns nothing."),
        (unwritten, "Not attempted yet: "),
        (None, "Not attempted yet: `weights` has no value."),
        (..., "Not attempted yet: `weights` has no value."),
        (lambda labels: ..., "Not attempted yet: `weights` returns nothing"),
        (0.5, "Not yet: `weights` is 0.5, and a function is expected."),
        (weights(np.array([0, 1])), "Not yet: `weights` is [1, 1], and a function is expected."),
        (unreturned, "Not yet: `weights` returns nothing (None). Is its `return` missing?"),
        (printing, "Not yet: `weights` prints and returns nothing."),
        (in_place, "Not yet: `weights` changes what it is given and returns nothing."),
        (too_many, "does it take the arguments that its stub had?"),
        (out_of_range, "stopped with IndexError (index 11 is out of bounds for axis 0 with size 11) in line"),
        (out_of_range, "of its cell: `return labels[len(labels)]`."),
        (leaving, "Not yet: weights([0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0]) stopped with SystemExit in line"),
        (long_winded, "stopped with ValueError (first line) in line"),
        (lambda labels: weights(labels)[:-1], "yours is of shape (10,), and shape (11,) is expected."),
        (lambda labels: weights(labels) * np.nan, "yours has nan at [0], where"),
        (lambda labels: np.float64(1) / 0, "yours is a single number, and shape (11,) is expected"),
        (weights, "Right: `weights` gives what it should on 3 random inputs. Both classes now weigh the same."),
    ],
)
def test_a_check_is_one_line(answer, line, capsys, recwarn):
    found = said(answer, capsys)
    shown = found.splitlines()[-1]
    assert line in shown and len(shown) < 400
    if answer is not printing:
        assert found.count("\n") == 1
    assert not recwarn and not capsys.readouterr().err


class MuteError(Exception):
    def __str__(self):
        raise ValueError


class Untouchable:
    def __array__(self, *_):
        raise KeyboardInterrupt

    def __getattr__(self, name):
        raise GeneratorExit


def endless_list(labels):
    found = []
    found.extend([found] * 3)
    return found


def deep_list(labels):
    found = []
    for _ in range(5000):
        found = [found]
    return found


def marked_above(labels):
    # your code here
    counts = np.bincount(labels)
    counts / 2


def of_a_library(labels):
    return torch.empty(2, device="meta").cpu()


def abstract(labels):
    return torch.nn.Module().forward(labels)


def raising(error):
    def answer(labels):
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (raising(KeyboardInterrupt()), "stopped with KeyboardInterrupt in line"),
        (raising(GeneratorExit()), "stopped with GeneratorExit in line"),
        (raising(BaseException("odd")), "stopped with BaseException (odd) in line"),
        (raising(MuteError()), "stopped with MuteError in line"),
        (raising(ValueError("\x1b[31mred\x1b[0m\x07\x1b]0;title\x07!")), "stopped with ValueError (red !) in line"),
        (lambda labels: Untouchable(), "yours is an Untouchable, which cannot be compared (GeneratorExit)."),
        (endless_list, "yours is (("),
        (deep_list, "yours is (((a list))), and"),
        (lambda labels: labels.tolist().append(3) or torch.empty(11, device="meta"), "yours is a tensor, and an array"),
        (lambda labels: torch.eye(11).to_sparse(), "yours is of shape (11, 11), and"),
        (of_a_library, "stopped with NotImplementedError"),
        (abstract, "stopped with NotImplementedError"),
        (marked_above, "Not yet: `weights` returns nothing (None). Is its `return` missing?"),
        (lambda: 1, "does it take the arguments that its stub had?"),
    ],
)
def test_nothing_that_a_function_does_gives_a_traceback(answer, line, capsys):
    found = said(answer, capsys)
    assert found.startswith("Not yet: ") and line in found and found.count("\n") == 1 and len(found) < 400
    assert found.strip().isprintable() and "?." not in found
    assert callable(practice.yours(WEIGHTS, answer))


def test_an_object_that_cannot_be_looked_at_is_no_function():
    assert practice.judge(WEIGHTS, Untouchable()).text == (
        "Not yet: `weights` is an Untouchable, and a function is expected."
    )


def test_an_input_that_is_made_endless_is_no_traceback():
    def endless(edges):
        edges.append(edges)
        return edges

    exercise = Exercise("first", "t", 1, 1, lambda edges: edges[0], lambda generator: [([1, 2],)])
    assert practice.judge(exercise, endless).text.startswith("Not yet: ")


def test_an_interrupt_by_the_reader_passes(monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(practice, "limited", interrupted)
    with pytest.raises(KeyboardInterrupt):
        practice.judge(WEIGHTS, weights)


def test_a_comparison_that_does_not_end_is_given_up(monkeypatch, capsys):
    class Slow:
        def __array__(self, *_):
            while True:
                pass

    monkeypatch.setattr(practice, "COMPARING", 0.2)
    assert "cannot be compared: that does not end" in said(lambda labels: Slow(), capsys)


def test_what_a_function_prints_is_shown_once(capsys):
    def talking(labels):
        print("I got", len(labels))
        return weights(labels)

    assert said(talking, capsys).splitlines()[0] == "I got 11"
    assert said(talking, capsys).count("\n") == 2
    assert practice.yours(WEIGHTS, talking) is talking
    assert capsys.readouterr().out.count("\n") == 1


def test_a_function_gets_copies_of_its_input(capsys):
    kept = np.array([0, 1, 1])
    exercise = replace(WEIGHTS, cases=lambda generator: [(kept,), (kept,)])

    def careless(labels):
        found = weights(labels)
        labels[:] = 0
        return found

    assert said(careless, capsys, exercise).startswith("Right: ") and kept.tolist() == [0, 1, 1]


@pytest.mark.parametrize("loop", ["while True: pass", "while True: print('more')", "for _ in iter(int, 1): pass"])
def test_an_endless_loop_is_given_up(loop, capsys, monkeypatch):
    monkeypatch.setattr(practice, "SECONDS", 0.3)
    names = {}
    exec(f"def stuck(labels):\n    {loop}", names)
    line = said(names["stuck"], capsys)
    assert line == (
        "Not yet: weights([0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0]) has not ended after 0.3 s, and was given up: "
        "too slow, or endless.\n"
    )


def test_a_call_that_cannot_be_stopped_is_said_and_leaves_prints_alone(capsys, monkeypatch):
    monkeypatch.setattr(practice, "SECONDS", 0.2)
    monkeypatch.setattr("torchfakes_utils.course.time_limit.GRACE", 0.1)
    assert "restart the kernel" in said(lambda labels: time.sleep(3), capsys)
    print("still heard")
    assert capsys.readouterr().out == "still heard\n"


def test_a_lesson_goes_on_with_the_learners_function_or_its_own(capsys):
    def mine(labels):
        return weights(labels)

    def wrong(labels):
        return labels

    labels = np.array([0, 0, 1])
    for function, state, words in (
        (empty, State.EMPTY, "not written yet"),
        (wrong, State.WRONG, "the check of weights says why"),
        (mine, State.RIGHT, "yours is right"),
    ):
        taken = practice.yours(WEIGHTS, function)
        line = capsys.readouterr().out
        assert line.startswith("weights: ") and words in line and line.count("\n") == 1
        assert taken(labels).tolist() == [0.5, 0.5, 1] and (taken is mine) == (function is mine)
        # What stands under the name now is the lesson's: the check, and this cell run again, are about the learner's.
        assert practice.judge(WEIGHTS, taken).state is state
        practice.yours(WEIGHTS, taken)
        assert capsys.readouterr().out == line


def test_errors_that_are_asked_for():
    def reference(total):
        if total == 0:
            raise ValueError("nothing to share")
        return 1 / total

    exercise = Exercise(
        "share", "t", 1, 1, reference, lambda generator: [(2,), (0,)], {"Look at zero first.": lambda total: 1 / total}
    )
    assert practice.judge(exercise, reference).state is State.RIGHT
    assert practice.judge(exercise, lambda total: 1 / total).text == "Not yet: Look at zero first."
    text = practice.judge(exercise, lambda total: total and 1 / total).text
    assert text == "Not yet: for share(0), yours is 0, and a ValueError is expected."


def test_a_comparison_of_ones_own_may_trip(capsys):
    exercise = replace(WEIGHTS, difference=lambda expected, found: "" if found.sum() == expected.sum() else "no sum")
    assert "which cannot be compared (AttributeError)" in said(lambda labels: "text", capsys, exercise)
    assert "no sum" in said(lambda labels: labels * 0, capsys, exercise)


@pytest.mark.parametrize("change", [{"name": "two words"}, {"minutes": 0}, {"difficulty": 4}])
def test_an_exercise_is_refused_where_it_is_written(change):
    with pytest.raises(ValueError, match="exercise is named|minutes above"):
        replace(WEIGHTS, **change)


@pytest.mark.parametrize("cases", [[], [np.zeros(3)]])
def test_cases_are_tuples_of_arguments(cases):
    with pytest.raises(ValueError, match="cases are tuples"):
        replace(WEIGHTS, cases=lambda generator: cases).inputs()


def test_the_table_says_what_learners_see(capsys, monkeypatch):
    lines = exercise_table.table([WEIGHTS]).splitlines()
    assert lines[2].startswith("| `weights`: A weight for each crop (5 min, ★) | the stub | Not attempted yet: ")
    assert lines[3].startswith("|  | the solution | Right: ")
    assert lines[4] == "|  | mistake 1 | Not yet: You give a rare class less weight; divide by its count. |"
    assert len(lines) == 7
    assert exercise_table.main(["99"]) == 2 and "there are 00, 01" in capsys.readouterr().err
    monkeypatch.setattr("torchfakes_utils.course.lesson_03.WEIGHTS", WEIGHTS, raising=False)
    assert exercise_table.main(["03"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("## Lesson 03\n\n" + "\n".join(lines[:2])) and "\n".join(lines[2:]) in shown
    assert len(exercise_table.found("03")) > 1


@pytest.mark.slow
def test_in_a_real_kernel():
    """In a notebook: the learner's line is quoted, an endless loop is given up, and the kernel lives on."""
    cells = [
        "import numpy as np\nfrom torchfakes_utils import course\nfrom torchfakes_utils.course import practice\n"
        "practice.SECONDS = 1\n"
        "HALF = practice.Exercise('half', 't', 1, 1, lambda x: x / 2, lambda generator: [(3,), (5,)])",
        "def half(x):\n    # your code here\n    ...\nhalf = course.yours(HALF, half)\nprint(half(3))",
        "def half(x):\n    return x.half\ncourse.check(HALF, half)",
        "def half(x):\n    while True: pass\ncourse.check(HALF, half)",
        "course.check(HALF, lambda x: x * 0.5)",
        "def half(x):\n    return input('How many? ')\ncourse.check(HALF, half)",
        "def half(x):\n    # your code here\n    unknown = 0\ncourse.check(HALF, half)",
    ]
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, kernel_name="python3", timeout=60).execute()
    texts = ["".join(output.text for output in cell.outputs) for cell in notebook.cells]
    assert texts[1] == "half: not written yet, so what follows uses the lesson's own.\n1.5\n"
    assert "in line 2 of its cell: `return x.half`.\n" in texts[2] and texts[2].count("\n") == 1
    assert texts[3].startswith("Not yet: half(3) has not ended after 1 s") and texts[3].count("\n") == 1
    assert texts[4].startswith("Right: ")
    assert texts[5].startswith("Not yet: half(3) stopped with StdinNotImplementedError (") and "in line 2" in texts[5]
    assert texts[6] == "Not yet: `half` returns nothing (None). Is its `return` missing?\n"
