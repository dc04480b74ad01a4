"""Each lesson has its quiz, in the form that was agreed on, and it works with and without a kernel."""

import copy
import re

import pytest

from torchfakes_utils.course import quizzes
from torchfakes_utils.course.folders import lessons
from torchfakes_utils.course.predictions import VIEW
from torchfakes_utils.errors import InputError

GOOD = {
    "00": [
        {
            "question": f"Which is number {number}?",
            "choices": [
                {"text": "one", "feedback": "that is one", "right": number == 1},
                {"text": "two", "feedback": "that is two", "right": number == 2},
                {"text": "three & `more`", "feedback": "that is <three>", "right": number == 3},
            ],
        }
        for number in (1, 2, 3)
    ]
}


def test_the_real_file_is_as_it_should_be():
    quizzes_there = quizzes.read()
    assert quizzes.problems(quizzes_there) == []
    assert sorted(quizzes_there) == lessons()


def test_the_right_choice_is_not_given_away():
    every = [question for lesson in lessons() for question in quizzes.questions(lesson)]
    places = [[choice.right for choice in question.choices].index(True) for question in every]
    assert max(map(places.count, set(places))) <= len(every) / 2 and len(set(places)) >= 3
    longest = [max(question.choices, key=lambda choice: len(choice.text)).right for question in every]
    assert sum(longest) <= len(every) / 2


def test_questions_are_short_and_asked():
    for lesson in lessons():
        for question in quizzes.questions(lesson):
            assert question.text.endswith("?") and len(question.text.split()) <= 50, question.text
            assert all(len(choice.reply.split()) <= 40 for choice in question.choices), question.text


def change(*path, to=None, drop=False):
    data = copy.deepcopy(GOOD)
    place = data
    for step in path[:-1]:
        place = place[step]
    if drop:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return data


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ([], "quizzes: a mapping from lessons to questions is expected"),
        ({"99": GOOD["00"]}, "'99': no such lesson; there are 00, 01"),
        ({0: GOOD["00"]}, "0: no such lesson"),
        (change("00", to=None), "lesson 00: no questions, and 3 are asked"),
        (change("00", 2, drop=True), "lesson 00: 2 questions, and 3 are asked"),
        (change("00", 1, to="a text"), "lesson 00, question 2: it has a question and choices, and nothing else"),
        (change("00", 1, "hint", to="x"), "question 2: it has a question and choices, and nothing else"),
        (change("00", 1, "question", to=" "), "question 2: no question is asked"),
        (change("00", 1, "question", to="Which is number 1?"), "asked twice: Which is number 1?"),
        (change("00", 0, "choices", 2, drop=True), "question 1: three choices at least"),
        (change("00", 0, "choices", 2, to="three"), "question 1: three choices at least"),
        (change("00", 0, "choices", 1, "right", to=True), "question 1: 2 right choices, and one is needed"),
        (change("00", 0, "choices", 0, "right", drop=True), "question 1: 0 right choices, and one is needed"),
        (change("00", 0, "choices", 0, "right", to="yes"), "choice 1: right is true, or left out"),
        (change("00", 0, "choices", 1, "feedback", drop=True), "question 1: choice 2 has no feedback"),
        (change("00", 0, "choices", 1, "text", to=2), "question 1: choice 2 has no text"),
        (change("00", 0, "choices", 1, "feedbak", to="x"), "question 1: choice 2: what is 'feedbak'?"),
        (change("00", 0, "choices", 1, "text", to="One "), "question 1: the same choice twice: one"),
    ],
)
def test_each_fault_is_a_line(data, problem):
    found = quizzes.problems(data)
    assert any(problem in line for line in found) and not any("\n" in line for line in found)


def test_the_form_of_the_test_is_good():
    assert quizzes.problems(GOOD) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"03": []\n"03": []\n', r"q\.yaml, line 1: '03' is there twice"),
        ('"03":\n- question: a\n  question: b\n', r"q\.yaml, line 2: 'question' is there twice"),
        ("a: b: c", r"q\.yaml: mapping values are not allowed here"),
    ],
)
def test_a_file_that_is_none(tmp_path, text, message):
    (tmp_path / "q.yaml").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        quizzes.read(tmp_path / "q.yaml")
    assert "\n" not in str(caught.value)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(quizzes, "read", lambda: GOOD)
    quizzes.questions.cache_clear()
    yield quizzes.quiz("00")
    quizzes.questions.cache_clear()


def test_a_choice_is_answered(small):
    assert small.chosen == [None] * 3
    assert small.choose(0, 0) == "Right. that is one" and small.choose(0, 1) == "No. that is two"
    assert small.chosen == [1, None, None]
    with pytest.raises(InputError, match="'05': no quiz; there are 00"):
        quizzes.quiz("05")


def test_a_file_with_faults_is_refused(monkeypatch):
    monkeypatch.setattr(quizzes, "read", lambda: {"99": []})
    quizzes.questions.cache_clear()
    with pytest.raises(InputError, match=r"quizzes\.yaml: '99': no such lesson"):
        quizzes.quiz("00")


def test_the_widget_answers_at_a_press(small):
    title, first, second, third, reply = small.widget().children[1].children
    assert "<b>2.</b> Which is number 2?" in title.value and "three &amp; <code>more</code>" in third.children[1].value
    buttons = [row.children[0] for row in (first, second, third)]
    buttons[2].click()
    assert reply.value == "<i>No. that is &lt;three&gt;</i>" and buttons[2].button_style == "warning"
    buttons[1].click()
    assert reply.value == "<i>Right. that is two</i>" and small.chosen == [None, 1, None]
    assert [button.button_style for button in buttons] == ["", "success", ""]


def test_without_a_kernel_each_choice_is_a_fold(small):
    bundle = small._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", VIEW}
    assert bundle["text/html"].count("<details>") == 9 and "that is &lt;three&gt;" in bundle["text/html"]
    assert bundle["text/plain"].startswith("1. Which is number 1?\n   A  one\n")
    assert bundle["text/html"].startswith("<p><b>1.</b> Which is number 1?</p>")
    assert len(re.findall("Right", bundle["text/html"])) == 3


def test_without_ipywidgets_there_is_the_fold(small, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ipywidgets", None)
    assert set(small._repr_mimebundle_()) == {"text/plain", "text/html"}
