"""Repositories of GenD's authors in the stand-in hub, and what pulling from them leaves."""

import hashlib

from torchfakes_utils.hub.catalogue import PUBLISHED

from helpers.gend import files

NAME, KIND = "gend-pe-l", "GenD-PE-L"  # one without a pin
CONFIG, WEIGHTS = "config.json", "model.safetensors"


def yes(offer):
    return True


def serve(server, name=NAME, **changes):
    """Their repository, with some files as they should not be."""
    content = files(PUBLISHED[name].architecture) | {key.replace("__", "."): value for key, value in changes.items()}
    return server.add(PUBLISHED[name].repository, {key: value for key, value in content.items() if value is not None})


def move_on(repository, seed=1):
    """Other weights on the main branch; the commit's name."""
    return repository.commit(files(KIND, seed), title=f"later {seed}")


def fetched_by_hand(folder, **changes):
    """Their files, as somebody has saved them."""
    folder.mkdir()
    for key, value in (files(KIND) | changes).items():
        if value is not None:
            (folder / key).write_bytes(value)
    return folder


def digest(content):
    return hashlib.sha256(content).hexdigest()


def visible(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []
