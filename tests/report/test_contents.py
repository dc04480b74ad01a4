"""What a report holds: to JSON and back, described by its schema, and refused where it is something else."""

import json

import jsonschema
import pytest

from torchfakes_utils.models.decision import Decision
from torchfakes_utils.report.contents import Report
from torchfakes_utils.report.schema import FILE, text

from helpers.report import clip_scores, made_up_report

REPORTS = {
    "both classes": made_up_report(decision=Decision(0.4, 1.2, {"face": (90.0, None)}, ("a note",), "a caution")),
    "one class": made_up_report(clip_scores(reals=(), fakes=(0.2, 0.9))),
    "a real clip": made_up_report(clip_scores(reals=(0.5,))),
}


def stored(report):
    return json.loads(json.dumps(report.to_json(), allow_nan=False))


@pytest.mark.parametrize("name", REPORTS)
def test_what_is_stored_is_read_again(name):
    assert Report.from_json(stored(REPORTS[name])) == REPORTS[name]


def test_the_schema_that_is_published_is_that_of_the_classes():
    assert FILE.read_text(encoding="utf-8") == text(), "run: make schema"


@pytest.mark.slow
@pytest.mark.parametrize("name", REPORTS)
def test_a_report_is_what_the_schema_says(name):
    validator = jsonschema.Draft202012Validator(json.loads(text()))
    validator.check_schema(validator.schema)
    whole = stored(REPORTS[name])
    validator.validate(whole)
    for part, changed in {"clip": {"brier": 1.5}, "frame": {"auc_interval": [0.5]}, "abstention": {"new": 1}}.items():
        assert not validator.is_valid(whole | {part: whole[part] | changed}), part
    assert not validator.is_valid({key: value for key, value in whole.items() if key != "curves"})


def test_the_schema_says_what_a_number_is_where_the_class_says_it():
    schema = json.loads(text())
    metrics = schema["$defs"]["MethodMetrics"]["properties"]
    assert (
        metrics["fnr"]["description"] == "share of fakes called real."
        and "95 %" in metrics["fnr_interval"]["description"]
    )
    assert metrics["recall"]["description"] == "share of its own clips called fake."
    assert schema["properties"]["comparison"]["description"] and "auc" in schema["$defs"]["LevelMetrics"]["required"]


def test_absent_stays_absent():
    calibration = stored(REPORTS["one class"])["calibration"]
    assert calibration["clip"]["reasons"] and "reasons" not in stored(REPORTS["both classes"])["calibration"]["clip"]
    assert "ece_uncalibrated" in calibration["frame"] and "ece_uncalibrated" not in calibration["clip"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "of torchfakes 0.1, .*format 2, not 1"),
        ({"clip": None}, "clip"),
        ({"mistakes": [{}]}, "mistakes"),
        ({"decision": {"threshold": 2}}, "threshold"),
    ],
)
def test_another_report_is_refused_with_the_program_that_made_it(change, message):
    with pytest.raises(ValueError, match=message) as caught:
        Report.from_json(stored(REPORTS["both classes"]) | change)
    assert "\n" not in str(caught.value) and "torchfakes 0.1" in str(caught.value)
