"""Measurements that take long, kept in a file as they are done, so that a second call goes on where one was stopped."""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from torchfakes_utils.evaluation.films import SQUARE, Films
from torchfakes_utils.evaluation.scoring import fingerprint
from torchfakes_utils.io.files import read_json, write_record
from torchfakes_utils.models.detector import Detector

logger = logging.getLogger(__name__)


class Kept:
    """What is measured already, by name; begun anew for another detector, other crops or another configuration.

    Attributes:
        rows: of JSON, by name.
    """

    def __init__(self, path: Path | None, identity: Mapping[str, Any]) -> None:
        """Read what is there; without a path nothing is kept.

        Args:
            path: the file.
            identity: what all measurements depend on; see `identity_of`.
        """
        self._path = path
        self._identity = json.loads(json.dumps(identity))  # as it is read again: with lists for tuples
        self.rows = self._read()

    def add(self, rows: Mapping[str, dict[str, Any]]) -> None:
        """Keep more of them."""
        self.rows |= rows
        if self._path is not None:
            write_record(self._path, {"identity": self._identity, "rows": self.rows})

    def _read(self) -> dict[str, dict[str, Any]]:
        if self._path is None or not self._path.is_file():
            return {}
        try:
            there = read_json(self._path)
            return dict(there["rows"]) if there["identity"] == self._identity else {}
        except (OSError, ValueError, KeyError, TypeError):
            logger.warning("%s cannot be read: what it kept is measured from the start", self._path)
            return {}


def identity_of(detector: Detector, faces: pd.DataFrame, config: Mapping[str, Any], version: int) -> dict[str, Any]:
    """What measurements of a detector depend on: itself, the crops, the configuration, and what the program does.

    Crops that lie elsewhere in their films are others, whatever their names.
    """
    crops = pd.util.hash_pandas_object(faces[["path", "frame", "label", *SQUARE]], index=False)
    return {
        "format": version,
        "detector": fingerprint(detector),
        "decision": asdict(detector.decision),
        "crops": f"{int(crops.sum() % 2**63):x}",
        "config": dict(config),
    }


def films_digest(films: Films) -> str:
    """What tells these films from others, or from the same that were changed."""
    return hashlib.sha256(json.dumps(films.state()).encode()).hexdigest()[:12]
