"""A record of another version, or of somebody else, is refused in a line that says what made it and what to do."""

import pytest

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.records import read_record, write_record

MAKER = "torchfakes evaluate"


def test_there_and_back(tmp_path):
    content = {"format": 3, "auc": 0.5, "reasons": {"eer": None}, "names": ["Fälschung"]}
    assert read_record(write_record(tmp_path / "report.json", content), MAKER, 3) == content


def test_what_json_does_not_know_is_no_record(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_record(tmp_path / "report.json", {"auc": float("nan")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file; run `torchfakes evaluate`"),
        (b"{", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[1]", "not what `torchfakes evaluate` writes"),
        (b"{}", r"of another torchfakes made it \(format without one; this one makes 3\)"),
        (b'{"format": 2}', r"of another torchfakes made it \(format 2; this one makes 3\)"),
        (b'{"format": "3"}', r"of another torchfakes made it \(format '3'; this one makes 3\)"),
    ],
)
def test_what_is_no_record_of_this_version(tmp_path, content, words):
    path = tmp_path / "report.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read_record(path, MAKER, 3)
    line = str(caught.value)
    assert "\n" not in line and line.startswith(str(path)) and MAKER in line
