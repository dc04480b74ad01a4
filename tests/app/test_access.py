"""Passwords come from a file or the environment, and no message repeats them."""

import pytest

from torchfakes_utils.app.access import AUTH_VARIABLE, credentials, is_loopback
from torchfakes_utils.errors import InputError


@pytest.fixture(autouse=True)
def _nobody(monkeypatch):
    monkeypatch.delenv(AUTH_VARIABLE, raising=False)


def test_nobody_is_asked_where_nothing_is_given():
    assert credentials(None) is None


@pytest.mark.parametrize("text", ["me:secret", "me:secret\n", "\nme : secret \r\n\n"])
def test_a_file_or_the_environment_says_who_may_come_in(tmp_path, monkeypatch, text):
    file = tmp_path / "users.txt"
    file.write_text(text)
    assert credentials(file) == [("me", "secret")]
    monkeypatch.setenv(AUTH_VARIABLE, text)
    assert credentials(None) == [("me", "secret")]
    monkeypatch.setenv(AUTH_VARIABLE, "other:word")
    assert credentials(file) == [("me", "secret")], "what was asked for goes first"


def test_several_users_and_passwords_with_colons(tmp_path):
    file = tmp_path / "users.txt"
    file.write_text("me:a:b\nyou:ü\n", encoding="utf-8")
    assert credentials(file) == [("me", "a:b"), ("you", "ü")]


@pytest.mark.parametrize("text", ["secret", "me:secret\nword", ":secret", "me:", "", "\n"])
def test_lines_of_another_form(tmp_path, text):
    file = tmp_path / "users.txt"
    file.write_text(text)
    with pytest.raises(InputError, match="users.txt: give USER:PASSWORD, a line each") as caught:
        credentials(file)
    assert "secret" not in str(caught.value)


def test_a_password_as_a_word_of_the_command_is_refused_and_not_repeated(tmp_path):
    with pytest.raises(InputError, match="give a file that holds USER:PASSWORD, or set TORCHFAKES_AUTH") as caught:
        credentials(tmp_path / "me:secret")
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("absent", "binary", "."):
        with pytest.raises(InputError, match="cannot be read") as caught:
            credentials(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("127.3.4.5", True), ("::1", True), ("[::1]", True), ("localhost", True), ("0.0.0.0", False),
     ("::", False), ("198.51.100.7", False), ("example.org", False), ("", False)],
)  # fmt: skip
def test_this_machine_alone(host, alone):
    assert is_loopback(host) == alone
