"""The way of whole films, as commands: data that only time betrays, training on windows, and what comes of it."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from torchfakes_utils.cli.command import Command, Count, argument, option, options_of
from torchfakes_utils.cli.output import DONE, SOME_UNUSABLE, Output, say
from torchfakes_utils.datasets.mini.config import TemporalConfig
from torchfakes_utils.temporal.config import FilmEvaluationConfig, VideoConfig

_FACES = "for gru, attention and correlation: the faces.csv that `extract` wrote, or its folder; None is faces/ beside"


@dataclass(frozen=True)
class MiniTemporal(Command):
    """Make Mini-FF++'s films that only time betrays, in FaceForensics++'s layout."""

    out: Path = argument("FOLDER", "the data set's folder, such as data/mini-temporal")
    config: TemporalConfig = options_of()
    workers: Count | None = option("processes; None is one a core", None)

    def run(self, output: Output) -> None:
        """Make it; the folder and the configuration are the record."""
        from torchfakes_utils.datasets.mini.temporal import build_temporal

        path = build_temporal(self.out, self.config, workers=self.workers)
        output.record({"path": str(path), **dataclasses.asdict(self.config)})
        output.line(f"Mini-FF++'s temporal family with {self.config.identities} identities is in {path}")


@dataclass(frozen=True)
class TrainVideo(Command):
    """Train a detector of whole films; the same command again goes on or finishes."""

    clips: Path = argument("CLIPS.CSV", "the table that `clips` wrote")
    out: Path = option("the run's folder, such as runs/films", metavar="RUN")
    config: VideoConfig = options_of(flags={"learning_rate": ("--learning-rate", "--lr")})
    faces: Path | None = option(_FACES, None)

    def run(self, output: Output) -> None:
        """Train; every epoch is a record, the best one the last."""
        from torchfakes_utils.temporal.training import train_video

        result = train_video(self.clips, self.out, self.config, self.faces, on_epoch=output.record)
        output.record({"best": result.best, "run": str(result.run)})
        output.line(f"the detector of epoch {result.best['epoch']} is in {result.run / 'best'}")


@dataclass(frozen=True)
class EvaluateVideo(Command):
    """Measure a run of train-video by clip, by method and over time."""

    run_folder: Path = argument("RUN", "the folder that `train-video` wrote")
    clips: Path = argument("CLIPS.CSV", "the table that `clips` wrote; segments.csv beside it says what is forged when")
    config: FilmEvaluationConfig = options_of()
    faces: Path | None = option(_FACES, None)

    def run(self, output: Output) -> int:
        """Measure; the report is the record."""
        from torchfakes_utils.models.run_files import FILM_REPORT_FILE, WINDOWS_FILE
        from torchfakes_utils.temporal.evaluation import evaluate_video, lines

        report = evaluate_video(self.run_folder, self.clips, self.config, self.faces)
        output.record(report)
        output.line(*lines(report))
        output.line(f"{WINDOWS_FILE} and {FILM_REPORT_FILE} are in {self.run_folder}")
        for clip, why in report["failures"].items():
            say(f"{clip}: {why}")
        return SOME_UNUSABLE if report["failures"] else DONE
