"""The arguments of every command: what is derived from the configurations, and where words may stand."""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.app.config import AppConfig, AppLimits
from torchfakes_utils.cli import main
from torchfakes_utils.cli.command import made
from torchfakes_utils.datasets.mini.config import MiniConfig
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation import evaluate
from torchfakes_utils.evaluation.config import (
    EvaluationConfig,
    OwnBoxesConfig,
    RobustnessConfig,
    Scoring,
    StabilityConfig,
)
from torchfakes_utils.explanation.config import ExplanationConfig
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.recipes import from_recipe

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("command", main.COMMANDS)
def test_the_help_of_every_command_says_what_every_option_is(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main.main([command, "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert "--json" in shown and "--debug" in shown
    silent = [action.dest for action in main.command_parser(command)._actions if not action.help]
    assert silent == [], "a field without a text"


def command_lines():
    """What the pages for readers tell them to type."""
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for line in page.read_text(encoding="utf-8").splitlines():
            if line.startswith("    torchfakes "):
                yield shlex.split(line.partition("&&")[0], comments=True)[1:]


def test_every_command_stands_in_the_readme_and_what_stands_there_is_understood():
    lines = list(command_lines())
    for name, *words in lines:
        main.command_parser(name).parse_intermixed_args(words)
    inline = re.findall(r"`torchfakes (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    named = {name for name, *_ in lines} | set(inline)
    assert set(main.COMMANDS) - named <= {"verify"}  # which data_download.sh calls


def command(*words):
    """A command as it is before it runs."""
    name, *rest = map(str, words)
    return made(main.COMMANDS[name], main.command_parser(name).parse_intermixed_args(rest))


@pytest.mark.parametrize(
    ("words", "field", "usual"),
    [
        (["mini", "x"], "config", MiniConfig()),
        (["extract", "x", "--out", "y"], "config", ExtractionConfig()),
        # The command tells the local tracker; a call from a program tells nobody unless it asks for it.
        (["train", "x", "--out", "y"], "config", TrainingConfig(tracker="auto")),
        (["matrix", "x", "--out", "y"], "config", TrainingConfig(tracker="auto")),
        (["evaluate", "x", "y"], "config", EvaluationConfig()),
        (["evaluate", "x", "y"], "robustness", RobustnessConfig()),
        (["explain", "x", "y"], "config", ExplanationConfig()),
        (["app", "x"], "config", AppConfig()),
        (["app", "x"], "limits", AppLimits()),
    ],
)
def test_what_is_not_given_is_as_the_stage_has_it(words, field, usual):
    assert getattr(command(*words), field) == usual


def test_a_recipe_sets_what_is_not_given():
    usual = from_recipe("cpu", tracker="auto")
    assert command("train", "x", "--out", "y", "--recipe", "cpu").config == usual
    words = ["--epochs", "3", "--pretrained", "none", "--image-size", "none", "--tracker", "none", "--lr", "none"]
    changed = replace(usual, epochs=3, pretrained=None, image_size=None, tracker="none", learning_rate=None)
    # What is given goes before it, also where it is what would be so without a recipe.
    assert command("train", "x", "--recipe", "cpu", "--out", "y", *words).config == changed
    assert command("matrix", "x", "--out", "y", "--recipe", "cpu", "--batch-size", "16").config.recipe == "cpu"
    with pytest.raises(InputError, match="no recipe 'gpu'"):
        command("train", "x", "--out", "y", "--recipe", "gpu")


def test_what_is_given_arrives():
    words = ["--lr", "0.1", "--pretrained", "none", "--methods", "Deepfakes,FaceSwap", "--compile", "--seed=3"]
    wanted = TrainingConfig(learning_rate=0.1, pretrained=None, methods=("Deepfakes", "FaceSwap"), compile=True,
                            seed=3, tracker="auto")  # fmt: skip
    assert command("train", "faces.csv", "--out", "run", *words).config == wanted
    assert command("extract", "d", "--out", "o", "--no-reuse").config == ExtractionConfig(reuse=False)
    assert command("explain", "r", "f", "--no-checks").config == ExplanationConfig(checks=False)
    assert command("export", "r", "--precision", "int8").config.precisions == ("int8",)
    found = command("evaluate", "r", "f", "--seeds", "a,b", "--frames", 3, "--seeds", "c", "--perturb-frames", 9)
    assert found.config == EvaluationConfig(seeds=(Path("a,b"), Path("c")))
    films = command("evaluate", "r", "f", "--own-boxes-clips", 9, "--films", "data")
    assert films.config == EvaluationConfig(films=Path("data")) and films.boxes == OwnBoxesConfig(9)
    assert command("evaluate", "r", "f", "--no-own-boxes").config == EvaluationConfig(own_boxes=False)
    steady = command("evaluate", "r", "f", "--stability", "--stability-frames", 2)
    assert steady.config == EvaluationConfig(stability=True) and steady.steadiness == StabilityConfig(frames=2)
    assert found.scoring == Scoring(frames=3) and found.robustness == RobustnessConfig(frames=9)


@pytest.mark.parametrize(
    ("words", "perturb", "names"),
    [
        (["run", "faces.csv"], False, None),
        (["--perturb", "run", "faces.csv"], True, None),
        (["run", "--perturbations", "jpeg,blur", "faces.csv"], True, ("jpeg", "blur")),
        (["run", "faces.csv", "--perturb", "--perturbations=jpeg"], True, ("jpeg",)),
    ],
)
def test_robustness_is_measured_where_it_is_asked_for(words, perturb, names, monkeypatch):
    def stage(run, faces, config):
        assert (run, faces) == (Path("run"), Path("faces.csv"))
        asked.append(config)
        raise InputError("that will do")

    asked = []
    monkeypatch.setattr(evaluate, "evaluate", stage)
    assert main.main(["evaluate", *words]) == 2
    (config,) = asked
    assert (config.perturb, config.robustness.perturbations) == (perturb, names)


def sample(action):
    """An option as it may be written."""
    flag = action.option_strings[-1]
    return [flag] if action.nargs == 0 else [flag, "2"]


@given(st.data())
def test_options_stand_before_between_and_after(data):
    """Drawn: a command, some of its options, and where among them each of the words stands that have no name."""
    name = data.draw(st.sampled_from(list(main.COMMANDS)))
    actions = [one for one in main.command_parser(name)._actions if one.dest != "help"]
    options = [one for one in actions if one.option_strings]
    words = [[word] for word in ("x", "y", "z")[: len(actions) - len(options)]]
    chosen = [sample(one) for one in options if one.required or data.draw(st.booleans(), label=one.dest)]
    order = data.draw(st.permutations([True] * len(words) + [False] * len(chosen)))
    rest = iter(words), iter(chosen)
    mixed = [next(rest[0] if is_word else rest[1]) for is_word in order]

    def parsed(parts):
        return main.command_parser(name).parse_intermixed_args([word for part in parts for word in part])

    assert parsed(mixed) == parsed(words + chosen) == parsed(chosen + words)


def test_a_word_that_begins_with_a_dash_follows_two():
    assert command("predict", "run", "--frames", 3, "--", "-a.jpg", "b.jpg").files == ("-a.jpg", "b.jpg")
    assert command(
        "train",
        "f",
        "--out",
        "o",
        "--",
    ).faces == Path("f")


@pytest.mark.parametrize(
    "words",
    [
        "mini x --seconds nan",
        "mini x --seconds 1e999",
        "train x --out y --lr=-inf",
        "train x --out y --min-sharpness nan",
    ],
)
def test_a_number_is_one(words, capsys):
    with pytest.raises(SystemExit) as ended:
        main.main(words.split())
    assert ended.value.code == 2 and ": needs a number, not '" in capsys.readouterr().err


def test_options_that_share_a_text_have_it_each():
    """In a configuration's docstring several fields may stand before one text."""
    helps = {action.dest: action.help for action in main.command_parser("train")._actions}
    assert helps["TrainingConfig.false_alarms"] == helps["TrainingConfig.misses"]
    assert "may be called fake" in helps["TrainingConfig.misses"]
