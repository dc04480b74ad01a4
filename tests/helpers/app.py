"""A program that serves, in a process of its own, and a client for it."""

import contextlib
import json
import os
import socket
import subprocess
from types import SimpleNamespace


def free_port():
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


@contextlib.contextmanager
def started(words, folder, cwd=None):
    """A process that serves: its address, its folder for temporary files, what it has said.

    It runs in `folder` unless told: where the tests run, other tests make a Mini-FF++, which the app would show.
    """
    temporary = folder / "tmp"
    temporary.mkdir()
    environment = os.environ | {"TMPDIR": str(temporary), "OMP_WAIT_POLICY": "PASSIVE", "PYTHONUNBUFFERED": "1"}
    with (folder / "said.txt").open("w") as said:
        process = subprocess.Popen(
            words, env=environment, stdout=subprocess.PIPE, stderr=said, text=True, cwd=cwd or folder
        )
    try:
        line = process.stdout.readline()
        assert line, (folder / "said.txt").read_text()
        url = json.loads(line)["url"] if line.startswith("{") else line.strip()
        yield SimpleNamespace(url=url, temporary=temporary, said=folder / "said.txt", process=process)
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def client(url):
    from gradio_client import Client

    return Client(url, verbose=False)
