"""What is asked of the Hub at all, and what is said where there is none."""

import socket

import pytest
from huggingface_hub import constants

from torchfakes_utils.hub.pull import pull, resolve
from torchfakes_utils.hub.push import push

from helpers.hub import NAME, fails
from helpers.hub_server import serving


@pytest.mark.parametrize(
    "name",
    ["mini", "", "a/b/c", "../x", "ada/..", "ada/../../x", "ada/x y", "ada/", "/x", "ada/a--b", "ada/x.git", "ada/é",
     "https://huggingface.co/ada/x", "ada/" + "x" * 200, "ada/x\n"],
)  # fmt: skip
def test_wrong_names_are_not_asked_for(name, bare, server):
    for call in (
        lambda: pull(name),
        lambda: push(bare, name),
        lambda: resolve(f"hf://{name}"),
    ):
        assert "owner/name" in fails(call)
    assert server.requests == []


@pytest.mark.parametrize("revision", ["", "../../x", "a b", "/etc/passwd", "-x", "x@y"])
def test_wrong_revisions_are_not_asked_for(revision, server):
    assert "is no revision" in fails(pull, NAME, revision)
    assert "is no revision" in fails(resolve, f"hf://{NAME}@{revision}")
    assert server.requests == []


def test_no_connection_is_one_line(bare, monkeypatch):
    with serving() as closed:
        pass  # nobody listens at its port any more
    monkeypatch.setattr(constants, "ENDPOINT", closed.url)
    for call in (lambda: pull(NAME), lambda: push(bare, NAME)):
        assert "cannot be reached (Connection refused)" in fails(call)

    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setattr(constants, "ENDPOINT", "http://nowhere.invalid")
    assert "cannot be reached (Name or service not known)" in fails(pull, NAME)
