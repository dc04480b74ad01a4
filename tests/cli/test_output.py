"""What the command line says: no text of a stranger's steers a terminal, and each message is one line."""

import io
import json
import logging
import warnings

import pytest

from torchfakes_utils.cli.output import Output, calibration_lines, say, warnings_on_stderr
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.calibrate import Calibrated
from torchfakes_utils.metrics.band import Band, Rate
from torchfakes_utils.models.decision import OF_BEFORE, Decision

ESCAPES = "\x1b[2J\x1b]0;title\x07 \x9b1m \u202e \x7f\udce9"
SHOWN = "\\x1b[2J\\x1b]0;title\\x07 \\x9b1m \\u202e \\x7f\\udce9"


def test_lines_are_printable():
    stream = io.StringIO()
    Output(stream, False).line(f"one {ESCAPES}\ntwo")
    assert stream.getvalue() == f"one {SHOWN}\ntwo\n"


def test_records_are_printable_and_the_same():
    stream = io.StringIO()
    record = {"path": ESCAPES, "name": "ü\U0001f600\u2028\U000e0041", "n": [1, None]}
    Output(stream, True).record(record)
    assert json.loads(stream.getvalue()) == record
    assert stream.getvalue().removesuffix("\n").isprintable() and "ü\U0001f600" in stream.getvalue()


def test_notes_and_errors_are_printable(capsys):
    say(ESCAPES)
    say(InputError(f"{ESCAPES}: no"))
    say(ValueError(ESCAPES))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and all(line.isprintable() and "\\x1b[2J" in line for line in lines)


@pytest.mark.parametrize("debug", [False, True])
def test_warnings_are_printable_lines_whoever_warns(debug, capsys, monkeypatch):
    monkeypatch.setattr(logging.root, "handlers", [])  # as in a program of its own
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with warnings_on_stderr(debug):
            logging.getLogger("torchfakes_utils.x").warning("%s", f"a\nb {ESCAPES}")
            logging.getLogger("somebody.else").warning("%s", ESCAPES)
            if not debug:
                warnings.warn(f"a library\n{ESCAPES}", stacklevel=1)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and all(line.isprintable() for line in lines)
    if not debug:
        assert lines == [f"torchfakes: a b {SHOWN}", f"torchfakes: {SHOWN}", f"torchfakes: a library {SHOWN}"]


def test_wrong_usage_is_a_printable_line(capsys):
    from torchfakes_utils.cli.main import main

    with pytest.raises(SystemExit):
        main(["predict", "run", "x.jpg", "--oops\x1b[2J"])
    assert capsys.readouterr().err.removesuffix("\n").isprintable()


def test_a_line_has_an_end_and_says_what_is_wrong_and_what_to_do(capsys):
    say(InputError(f"somewhere/{'x' * 100_000}: no such film; run it again"))
    said = capsys.readouterr().err
    assert len(said) < 2100 and said.startswith("torchfakes: somewhere/xxx") and said.endswith("run it again\n")


def test_both_bands_are_told_with_their_rates_before_and_after():
    rate = Rate(0.05, 0.001, 0.249, 1, 22, 20)
    film, photo = Band((0.8, 0.9), 0.25, rate, None), Band((), 0.125, None, rate)
    after = Decision(0.5, 1.5, photo=photo, film=film)
    metrics = {name: {"loss": loss, "auc": 0.9} for name, loss in (("before", 0.7), ("after", 0.4))}
    found = Calibrated(Decision().cautioned(OF_BEFORE), after, (22, 30), metrics, None, ())
    lines = calibration_lines(found)
    assert lines[0] == "fixed on 22 real and 30 fake clips" and "log loss 0.700" in lines[1]
    assert lines[2] == f"    no verdicts: {OF_BEFORE}"
    assert lines[4] == (
        "    a film is called fake from 0.800 on (so in validation 1 of 22 real clips, of 20 people: 5.0% [0.1%, "
        "24.9%]), real up to 0.250 (errors were not counted: too few people)"
    )
    assert lines[5].startswith(
        "    one picture is called fake never, real up to 0.125 (so in validation 1 of 22 fake clips"
    )
