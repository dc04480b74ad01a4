"""TorchFakes: detect deepfakes, one small module for every stage of the pipeline.

What stands here is the public interface. Each name is loaded from its module when it is first used, so that
`import torchfakes_utils` costs nothing.

The stages, in the order of the pipeline:

- `build_mini` makes Mini-FF++, a small data set in FaceForensics++'s layout, from a `MiniConfig`;
- `index_clips` lists the videos of a data set in `clips.csv`, and splits them;
- `extract_faces` cuts the faces out of them into `faces.csv`, as an `ExtractionConfig` says;
- `train` fine-tunes a detector on these, as a `TrainingConfig` says, which `from_recipe` makes of a recipe's name, and
  gives its run;
- `evaluate` measures a run, as an `EvaluationConfig` says, and `write_report` writes that down in the run;
- `explain` draws and measures what the detector looks at, as an `ExplanationConfig` says;
- `export_run` writes the detector for other runtimes, as an `ExportConfig` says.

What one holds:

- `Detector`, a network with its preprocessing and its decision, which `load_detector` reads from a run;
- `Predictor`, which takes photos and videos and gives a `Prediction` for each;
- `InputError`, which all of them raise where something given cannot be used: one line that says what to do.

The rooms behind them, in the order in which data flows: `io`, `datasets`, `metrics`, `faces`, `models`, `crops`,
`training`, `evaluation`, `explanation`, `audio`, `temporal`; and what is built on these: `report`, `hub`, `inference`,
`export`, `app`, `course`, `cli`.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the same names once more, for those who read without running: type checkers and editors
    from torchfakes_utils.datasets.layouts import index_clips as index_clips
    from torchfakes_utils.datasets.mini.build import build_mini as build_mini
    from torchfakes_utils.datasets.mini.config import MiniConfig as MiniConfig
    from torchfakes_utils.errors import InputError as InputError
    from torchfakes_utils.evaluation.config import EvaluationConfig as EvaluationConfig
    from torchfakes_utils.evaluation.evaluate import evaluate as evaluate
    from torchfakes_utils.explanation.config import ExplanationConfig as ExplanationConfig
    from torchfakes_utils.explanation.explain import explain as explain
    from torchfakes_utils.export.config import ExportConfig as ExportConfig
    from torchfakes_utils.export.export import export_run as export_run
    from torchfakes_utils.faces.config import ExtractionConfig as ExtractionConfig
    from torchfakes_utils.faces.extraction import extract_faces as extract_faces
    from torchfakes_utils.inference.predictor import Predictor as Predictor
    from torchfakes_utils.inference.verdict import Prediction as Prediction
    from torchfakes_utils.models.detector import Detector as Detector
    from torchfakes_utils.models.detector import load_detector as load_detector
    from torchfakes_utils.report.write import write_report as write_report
    from torchfakes_utils.training.config import TrainingConfig as TrainingConfig
    from torchfakes_utils.training.recipes import from_recipe as from_recipe
    from torchfakes_utils.training.run import train as train

__version__ = "0.1.0"

_HOMES = {
    "datasets.layouts": ("index_clips",),
    "datasets.mini.build": ("build_mini",),
    "datasets.mini.config": ("MiniConfig",),
    "errors": ("InputError",),
    "evaluation.config": ("EvaluationConfig",),
    "evaluation.evaluate": ("evaluate",),
    "explanation.config": ("ExplanationConfig",),
    "explanation.explain": ("explain",),
    "export.config": ("ExportConfig",),
    "export.export": ("export_run",),
    "faces.config": ("ExtractionConfig",),
    "faces.extraction": ("extract_faces",),
    "inference.predictor": ("Predictor",),
    "inference.verdict": ("Prediction",),
    "models.detector": ("Detector", "load_detector"),
    "report.write": ("write_report",),
    "training.config": ("TrainingConfig",),
    "training.recipes": ("from_recipe",),
    "training.run": ("train",),
}
_HOME_OF = {name: f"{__name__}.{home}" for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    """A name of the interface, once it is asked for (PEP 562)."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    """What there is, loaded or not."""
    return sorted([*globals(), *__all__])
