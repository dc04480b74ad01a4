"""The names in a run's folder are a file format: others read runs without this program."""

import re

import pytest

from torchfakes_utils.models import run_files
from torchfakes_utils.models.run_files import BEST_FOLDER, DETECTOR_FILE, best_folder


def test_the_page_of_a_runs_files_names_every_one():
    values = {value for name, value in vars(run_files).items() if re.fullmatch(r"[A-Z_]+_(FILE|FOLDER)", name)}
    assert len(values) > 20
    described = run_files.__doc__.replace("report.json, .html", "report.json, report.html")
    missing = {value for value in values if not re.search(rf"\b{re.escape(value)}\b", described)}
    assert not missing


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ([f"{BEST_FOLDER}/{DETECTOR_FILE}"], BEST_FOLDER),  # a run
        ([DETECTOR_FILE], "."),  # a detector's own folder
        ([DETECTOR_FILE, f"{BEST_FOLDER}/{DETECTOR_FILE}"], "."),
        ([], "."),
        ([f"{BEST_FOLDER}/README.md"], "."),
    ],
)
def test_where_the_best_detector_of_a_folder_is(tmp_path, there, expected):
    for name in there:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert best_folder(tmp_path) == tmp_path / expected
