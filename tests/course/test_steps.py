"""The steps that make the lessons' inputs fit together."""

import json
from dataclasses import replace

import pytest

from torchfakes_utils import course
from torchfakes_utils.course import teams
from torchfakes_utils.course.steps import STEPS, Order
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.recipes import from_recipe


@pytest.mark.parametrize("step", STEPS.values(), ids=list(STEPS))
def test_a_step_needs_those_before_it_and_has_its_stamp_where_nothing_else_is_removed(step, home):
    names = list(STEPS)
    assert all(names.index(need) < names.index(step.name) for need in step.needs)
    assert set(step.renewed_with) <= set(step.needs)
    where = course.paths()
    # What is removed with a step's folder must not be what it needs.
    for need in step.needs if step.ours is not None else ():
        assert not STEPS[need].makes(where).is_relative_to(step.folder(where))
    assert json.loads(json.dumps(step.settings(where))) is not None


def test_a_data_set_of_the_learners_own_gets_the_pipelines_defaults(home, monkeypatch):
    settings = {name: STEPS[name].settings(course.paths()) for name in ("faces", "run", "control")}
    assert settings["faces"] == {"frames": 12} and settings["run"]["crops_per_epoch"] == 448
    (home / "own").mkdir()
    monkeypatch.setenv("TORCHFAKES_DATA", "own")
    own = {name: STEPS[name].settings(course.paths()) for name in settings}
    assert own == {"faces": {}, "run": {}, "control": settings["control"]}


@pytest.mark.parametrize(("name", "folder"), [("run", "mini"), ("control", "mini-control")])
def test_settings_reach_the_training(home, monkeypatch, name, folder):
    from torchfakes_utils.training import run as training

    asked = []
    monkeypatch.setattr(training, "train", lambda *given, **more: asked.append((*given, more["progress"])))
    where = course.paths()
    STEPS[name].build(Order(where, STEPS[name].settings(where), progress=False))
    ((faces, run, config, progress),) = asked
    assert faces == where.faces_csv and run == home / "runs" / folder and progress is False
    assert config.pretrained is None and config.crops_per_epoch == 448
    assert config.random_labels == (name == "control")


def test_the_course_trains_by_its_recipe(home):
    """But for the passes, of which Mini-FF++ takes fewer: what a lesson shows is what `--recipe course` does."""
    ours = TrainingConfig(**STEPS["run"].settings(course.paths()))
    recipe = from_recipe("course", crops_per_epoch=ours.crops_per_epoch)
    # The network's own size is 160 px.
    assert replace(ours, recipe="course", image_size=160) == recipe


def test_another_way_of_a_team_makes_the_lab_anew(home, monkeypatch):
    before = json.dumps(STEPS["lab"].settings(course.paths()))
    assert "Meso4" in before and " at 0x" not in before  # no address, which would change with every process
    blurred = teams.Way("every training crop blurred", training=teams.Blurred(2.0))
    monkeypatch.setitem(teams.CANDIDATES, "blurred", blurred)
    assert json.dumps(STEPS["lab"].settings(course.paths())) != before
