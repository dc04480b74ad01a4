"""Exit statuses of what `data_download.sh` calls; the script itself is in tests/datasets/test_data_download.py."""

import logging

import pytest

from torchfakes_utils.cli import download
from torchfakes_utils.cli.output import warnings_on_stderr
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.downloads import UnavailableError, WrongChecksumError
from torchfakes_utils.models import pretrained


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnavailableError("weights cannot be had (no answer for 20 s)", "no answer for 20 s"), 3),
        (WrongChecksumError("its SHA-256 is another"), 7),
        (InputError("checkpoints: cannot write there"), 4),
        (OSError(28, "No space left on device"), 4),
        (KeyboardInterrupt(), 130),
    ],
)
def test_why_there_are_no_weights(monkeypatch, tmp_path, capsys, error, status):
    def fetch_weights(name, sha256):
        raise error

    monkeypatch.setattr(pretrained, "fetch_weights", fetch_weights)
    assert download.main(tmp_path, ["weights"]) == status
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == (0 if status == 130 else 1) and all(line.startswith("data_download.sh: ") for line in lines)


def test_weights_that_are_asked_for(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(pretrained, "fetch_weights", lambda name, sha256: (tmp_path / name, sha256 or "ab" * 32))
    assert download.main(tmp_path, ["weights", "casia-webface", "--sha256", "cd"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'casia-webface'}\nSHA-256 cd\n"
    assert download.main(tmp_path, ["weights"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'vggface2'}\nSHA-256 {'ab' * 32}\n"


def test_there_is_no_help_for_half_an_option(tmp_path, capsys):
    assert download.main(tmp_path, ["ffpp", "--help"]) == 2
    assert capsys.readouterr().err == "data_download.sh: ffpp has no option '--help' (see --help)\n"


def test_a_command_inside_another_speaks_for_itself(capsys):
    logger = logging.getLogger("torchfakes_utils.somewhere")
    with warnings_on_stderr(False, "data_download.sh"):
        with warnings_on_stderr(False):
            logger.warning("damaged")
        logger.warning("once more")
    assert capsys.readouterr().err == "torchfakes: damaged\ndata_download.sh: once more\n"
