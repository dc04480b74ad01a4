"""`docs/report.schema.json`, made of the classes: `make schema`, after what a report holds has changed."""

import fnmatch
import inspect
import json
import re
from pathlib import Path
from typing import Any

import msgspec

from torchfakes_utils.evaluation import results
from torchfakes_utils.metrics import band
from torchfakes_utils.models import decision, scope
from torchfakes_utils.report import contents

FILE = Path(__file__).parents[2] / "docs" / "report.schema.json"


def schema() -> dict[str, Any]:
    """The JSON schema of `contents.Report`, described by the docstrings of the classes."""
    found = msgspec.json.schema(contents.Report)
    kinds = {**vars(band), **vars(decision), **vars(scope), **vars(results), **vars(contents)}
    for name, definition in found["$defs"].items():
        definition.pop("title")
        definition["description"] = (inspect.getdoc(kinds[name]) or "").partition("\n")[0]
        definition["additionalProperties"] = False
        for pattern, text in _attributes(kinds[name]).items():
            for attribute in fnmatch.filter(definition["properties"], pattern):
                definition["properties"][attribute]["description"] = text
    report = found["$defs"].pop("Report")
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "title": "TorchFakes report", **report, "$defs": found["$defs"]}


def _attributes(kind: type) -> dict[str, str]:
    """What the docstrings of a class and of its bases say of its attributes."""
    described = {}
    for base in reversed(kind.__mro__):
        _, _, listed = (inspect.getdoc(base) or "").partition("Attributes:\n")
        for entry in re.split(r"\n {4}(?! )", "\n" + listed):
            names, colon, text = " ".join(entry.split()).partition(": ")
            described.update(dict.fromkeys(names.split(", "), text) if colon else {})
    return described


def text() -> str:
    """The file; what is short stands on one line."""
    lines, short = json.dumps(schema(), indent=1, ensure_ascii=False), 1
    while short:
        lines, short = re.subn(
            r"([\[{])\n\s+([^\[{\n](?:[^\n]|,\n){,90})\n\s+([\]}])",
            lambda found: found[1] + " ".join(found[2].split()) + found[3],
            lines,
        )
    return lines + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
