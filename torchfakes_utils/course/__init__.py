"""What only a notebook needs: its inputs, one look for every figure, widgets, and the tools that build and run lessons.

`paths`, `ensure`, `faces_table`, `detector`, `broken_detector` and `short` are at hand as `course.…`; the submodules
`plots`, `widgets`, `colab`, `build` and `runner` are imported when first asked for, so that
`from torchfakes_utils import course` is quick.
"""

import importlib
from types import ModuleType

from torchfakes_utils.course.state import Paths, broken_detector, detector, ensure, faces_table, paths, short

__all__ = [
    "Paths",
    "broken_detector",
    "build",
    "colab",
    "detector",
    "ensure",
    "faces_table",
    "paths",
    "plots",
    "runner",
    "short",
    "widgets",
]

_SUBMODULES = {"build", "colab", "plots", "runner", "widgets"}


def __getattr__(name: str) -> ModuleType:
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
