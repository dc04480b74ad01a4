"""The instructor's kit: schedules that add up, and pages that are in step with the lessons."""

import itertools
import re
from pathlib import Path

import pytest
import yaml

from torchfakes_utils.course import form, kit, lengths
from torchfakes_utils.course.kit import Block, Day

ROOT = Path(__file__).parents[2]
KIT = ROOT / "docs" / "instructors"
KNOWN = kit.read_lessons(ROOT / "notebooks")
SCHEDULES = kit.read_schedules(KNOWN)
DAYS = [
    (f"{schedule.title}, day {number}", day) for schedule in SCHEDULES for number, day in enumerate(schedule.days, 1)
]


def written(tmp_path, *blocks, begins="09:00", ends="12:00"):
    """Schedules of one day in a file, read."""
    path = tmp_path / "schedules.yaml"
    path.write_text(
        yaml.safe_dump([{"title": "T", "for": "w", "days": [{"begins": begins, "ends": ends, "blocks": blocks}]}])
    )
    return kit.read_schedules(KNOWN, path)[0].days[0]


@pytest.mark.parametrize(("name", "day"), DAYS, ids=[name for name, _ in DAYS])
def test_no_stretch_is_too_long_and_each_day_ends_in_time(name, day):
    assert max(day.stretches) <= kit.MOST_WITHOUT_A_BREAK
    assert day.over <= day.ends
    assert not day.blocks[-1].rest and not day.blocks[0].rest


def test_there_are_half_a_day_one_day_and_two():
    hours = [[(day.over - day.begins) / 60 for day in schedule.days] for schedule in SCHEDULES]
    assert [len(days) for days in hours] == [1, 1, 2]
    assert hours[0][0] <= 4 and all(6 <= day <= 8 for days in hours[1:] for day in days)


def test_minutes_of_a_lesson_are_those_of_its_header_less_what_is_left_out(tmp_path):
    lesson = KNOWN["03"]
    task = lengths.tasks(lesson.notebook)[0]
    stated = lengths.stated(lesson.notebook)
    day = written(tmp_path, {"lesson": "03"}, {"break": 10}, {"lesson": "03", "without": [task.title]})
    assert day.blocks[0].minutes == stated.reading + stated.exercises
    assert day.blocks[0].minutes - 5 * -(-task.minutes // 5) <= day.blocks[2].minutes < day.blocks[0].minutes
    assert day.blocks[2].minutes % 5 == 0 and task.title in day.blocks[2].what


@pytest.mark.parametrize("block", [{"lesson": "77"}, {"lesson": "03", "without": ["Nothing of that name"]}])
def test_what_there_is_not_is_refused(tmp_path, block):
    with pytest.raises(ValueError, match="no lesson '77'; there are 00|no exercise 'Nothing of that name'; there are"):
        written(tmp_path, block)


def test_stretches_are_counted_from_break_to_break():
    day = Day(540, 720, (Block("a", 50), Block("b", 35), Block("Break", 15, True), Block("c", 20)))
    assert day.stretches == [85, 20] and day.over == 660


def test_times_follow_each_other():
    for page in re.findall(r"(?:^\|.*\n)+", (KIT / "schedules.md").read_text(), re.MULTILINE):
        rows = re.findall(r"^\| (\d\d:\d\d) \| (\d\d:\d\d) \| (\d+) \|", page, re.MULTILINE)
        assert rows and all(before[1] == after[0] for before, after in itertools.pairwise(rows))


def test_the_pages_are_in_step_with_the_lessons(tmp_path):
    for page in kit.write_kit(tmp_path, ROOT / "notebooks"):
        assert page.read_text() == (KIT / page.name).read_text(), "run: make instructors"


def test_each_lesson_has_its_notes_and_each_exercise_its_answer():
    notes, answers = ((KIT / name).read_text() for name in ("lessons.md", "answers.md"))
    for lesson in KNOWN.values():
        heading = f"## {lesson.number} · {lesson.title}\n"
        if form.TEACHERS in lesson.markdown:
            assert heading in notes
        for exercise in form.exercises(lesson.notebook):
            part = answers.partition(heading)[2].partition("\n## ")[0].partition(f"### {exercise.title}\n")[2]
            assert f"def {exercise.name}(" in part, f"{lesson.number}: {exercise.title}"
            assert all(hint in part for hint in exercise.wrong)


def test_every_link_of_the_kit_leads_somewhere():
    for page in KIT.glob("*.md"):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            assert target.startswith("http") or (page.parent / target).exists(), f"{page.name}: {target}"
