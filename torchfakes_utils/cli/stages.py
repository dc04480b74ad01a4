"""The stages of the pipeline, from films to a detector and what it is worth, as commands."""

import contextlib
import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchfakes_utils.cli.command import Command, Count, RunCommand, argument, option, options_of
from torchfakes_utils.cli.output import (
    DONE,
    SOME_UNUSABLE,
    UNUSABLE,
    Output,
    attention_lines,
    calibration_lines,
    say,
    summary_lines,
)
from torchfakes_utils.datasets.mini.config import MiniConfig
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import (
    EvaluationConfig,
    OwnBoxesConfig,
    RobustnessConfig,
    Scoring,
    StabilityConfig,
)
from torchfakes_utils.explanation.config import ExplanationConfig
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.metrics.config import RATE, check_rate, check_replicates
from torchfakes_utils.models import run_files
from torchfakes_utils.training import recipes
from torchfakes_utils.training.config import TrainingConfig

if TYPE_CHECKING:
    from torchfakes_utils.faces.extraction import ExtractionReport

# The command tells the local tracker; a call from a program tells nobody unless it asks for it.
_TRAINING: Mapping[str, Any] = {
    "flags": {"learning_rate": ("--learning-rate", "--lr")}, "build": recipes.from_recipe, "tracker": "auto",
}  # fmt: skip

_ANYWAY = "begin on a CPU even what would take longer than four hours there"


def _most_hours(anyway: bool) -> float:
    """How long training may take that is begun."""
    from torchfakes_utils.training import patience

    return math.inf if anyway else patience.MOST_HOURS


@dataclass(frozen=True)
class Mini(Command):
    """Make Mini-FF++, a small data set in FaceForensics++'s layout."""

    out: Path = argument("FOLDER", "the data set's folder, such as data/mini")
    config: MiniConfig = options_of()
    workers: Count | None = option("processes; None is one a core", None)

    def run(self, output: Output) -> None:
        """Make it; the folder and the configuration are the record."""
        from torchfakes_utils.datasets.mini.build import build_mini

        path = build_mini(self.out, self.config, workers=self.workers)
        output.record({"path": str(path), **dataclasses.asdict(self.config)})
        output.line(f"Mini-FF++ with {self.config.identities} identities is in {path}")


@dataclass(frozen=True)
class Clips(Command):
    """List a data set's clips (films, photos, folders of frames) in clips.csv, and split them."""

    root: Path = argument("FOLDER", "the data set; a partial download will do")
    split: str = option("official, or strict: nobody, and no YouTube video, on two sides", "official")
    layout: str = option("whose folders: auto, faceforensics, celeb-df, dfdc, df40, labelled (real/ and fake/)", "auto")
    from_csv: Path | None = option("take the clips from a table of yours: path, label (1 fake, 0 real) and more", None)
    out: Path | None = option("the table; None is clips.csv in FOLDER", None)
    methods: tuple[str, ...] | None = option("only these manipulations; None is all", None)
    compressions: tuple[str, ...] | None = option("only these, of raw, c23 and c40; None is all", None)

    def run(self, output: Output) -> None:
        """Write the table; how many clips there are of what, and what the splits share, is the record."""
        from torchfakes_utils.datasets import faceforensics, splits
        from torchfakes_utils.datasets.layouts import index_clips
        from torchfakes_utils.datasets.own_table import write_from_csv
        from torchfakes_utils.io import tables

        if self.from_csv is not None:
            path = write_from_csv(self.from_csv, self.out or self.root / "clips.csv")
        else:
            path = index_clips(self.root, self.out, self.layout, self.methods, self.compressions, self.split)
        clips = tables.read_table(path, tables.CLIP_COLUMNS)
        fake = int(clips["label"].sum())
        columns = ("method", "compression", "split")
        counts = {name: clips[name].value_counts().sort_index().to_dict() for name in columns}
        films: splits.Films = {}
        if set(clips["method"]) <= {*faceforensics.REAL_METHODS, *faceforensics.FAKE_METHODS}:
            with contextlib.suppress(InputError):  # without the file it is not known whether a film is on two sides
                films = splits.read_films(self.root)
        leaks = splits.leaks(clips, films).astype(object)
        leaks = leaks.where(leaks.notna(), None).to_dict("index")
        summary = {"path": str(path), "clips": len(clips), "real": len(clips) - fake, "fake": fake}
        output.record({**summary, **counts, "leaks": leaks})
        output.line(f"{len(clips)} clips ({len(clips) - fake} real, {fake} fake) are listed in {path}")
        for name, values in counts.items():
            output.line(f"  by {name}: " + ", ".join(f"{value or '(none)'} {count}" for value, count in values.items()))
        for split, row in leaks.items():
            if row["clips"]:
                known = [name for name in row if name != "clips" and row[name] is not None]
                shares = [f"the {name.removesuffix('_in_train')} of {row[name]:.1%}" for name in known]
                output.line(f"  {split} clips that training knows: {', '.join(shares)}")


@dataclass(frozen=True)
class Verify(Command):
    """Open every video of a FaceForensics++ folder, and count them."""

    root: Path = argument("FOLDER", "the data set; its manifest.csv is written there")
    methods: tuple[str, ...] | None = option("only these, youtube among them; None is all", None)
    compressions: tuple[str, ...] | None = option("only these, of raw, c23 and c40; None is all", None)
    num_videos: Count | None = option("how many videos each part should have", None)
    complete: bool = option("each part should have all its videos", False)
    masks: bool = option("each part that has masks should have as many of them", False)
    delete_damaged: bool = option("delete what was read and found broken", False)
    workers: Count = option("files read at once", 4)

    def run(self, output: Output) -> int:
        """Look at every file; what is damaged and missing is named."""
        from torchfakes_utils.datasets import verification

        wanted = verification.Wanted(self.methods, self.compressions, self.num_videos, self.complete, self.masks)
        found = verification.verify(self.root, wanted, self.workers, True, self.delete_damaged)
        output.record(dataclasses.asdict(found))
        read = f"{found.files} files, {found.bytes / 1e9:.2f} GB"
        output.line(f"{read}; their checksums are in {self.root / verification.MANIFEST}")
        for path, reason in found.damaged:
            say(f"{path}: {reason}" + ("; deleted" if path in found.deleted else ""))
        if self.delete_damaged and len(found.deleted) < len(found.damaged):
            say(f"{len(found.damaged) - len(found.deleted)} are kept: they could not be read, or may be sound")
        for line in found.missing:
            say(f"missing: {line}")
        return DONE if found.whole else SOME_UNUSABLE


@dataclass(frozen=True)
class Extract(Command):
    """Cut the faces out of the clips."""

    root: Path = argument("FOLDER", "the data set, with its clips.csv")
    out: Path = option("where crops and faces.csv go", metavar="FOLDER")
    config: ExtractionConfig = options_of()
    workers: Count = option("processes; several bring something from hundreds of clips on", 1)
    scheduler: str | None = option("work on the workers of the dask scheduler at this address instead", None)
    overwrite: bool = option("replace crops that were cut in another way", False)

    def run(self, output: Output) -> int:
        """Cut; clips that gave no face are named."""
        from torchfakes_utils.faces import extraction
        from torchfakes_utils.faces.workers import Workers

        workers = Workers(self.workers, self.scheduler)
        report = extraction.extract_faces(self.root, self.out, self.config, workers, True, self.overwrite)
        return say_extracted(report, self.out, output)


def say_extracted(report: "ExtractionReport", out: Path, output: Output) -> int:
    """Say what an extraction came to; clips that gave no face are named."""
    from torchfakes_utils.io import tables

    output.record(dataclasses.asdict(report))
    count = f"{report.faces} faces from {report.clips} clips in {report.seconds:.0f} s"
    output.line(f"{count}: {out / 'faces.csv'}")
    if not report.failures:
        return DONE
    table = out / tables.FAILURES_FILE
    for row in tables.read_table(table, tables.FAILURE_COLUMNS).head(10).itertuples():  # the table names all
        say(f"{row.path}: {row.reason}")
    say(f"{report.failures} of {report.clips} clips gave no face; {table} names each, with the reason")
    return SOME_UNUSABLE if report.faces else UNUSABLE


@dataclass(frozen=True)
class Train(Command):
    """Fine-tune a detector; the same command again goes on or finishes."""

    faces: Path = argument("FACES.CSV", "the table that `extract` wrote")
    out: Path = option("the run's folder, such as runs/mini", metavar="RUN")
    config: TrainingConfig = options_of(**_TRAINING)
    anyway: bool = option(_ANYWAY, False)

    def run(self, output: Output) -> None:
        """Train; every epoch is a record, the best one the last."""
        from torchfakes_utils.training import run

        most_hours = _most_hours(self.anyway)
        result = run.train(self.faces, self.out, self.config, on_epoch=output.record, most_hours=most_hours)
        output.record({"best": result.best, "run": str(result.run), "note": result.note})
        output.line(f"the detector of epoch {result.best['epoch']} is in {result.run / 'best'}")


@dataclass(frozen=True)
class Recipes(Command):
    """Show what `train --recipe` takes: settings with their reasons."""

    def run(self, output: Output) -> None:
        """A record a recipe."""
        for name, recipe in recipes.RECIPES.items():
            settings = {field: dataclasses.asdict(one) for field, one in recipe.choices.items()}
            measured = [dataclasses.asdict(one) for one in recipe.measured]
            output.record(
                {"recipe": name, "about": recipe.about, "settings": settings, "measured": measured,
                 "not_measured": recipe.not_measured}
            )  # fmt: skip
            output.line(*recipes.lines(name))


@dataclass(frozen=True)
class Evaluate(RunCommand):
    """Measure a run, and write report.html, report.json, model card."""

    faces: Path = argument("FACES.CSV", "the table that `extract` wrote")
    config: EvaluationConfig = options_of(without=("scoring", "robustness", "boxes", "steadiness"))
    scoring: Scoring = options_of(without=("progress",))
    robustness: RobustnessConfig = options_of(
        without=("replicates", "seed"),
        flags={"frames": ("--perturb-frames",), "strengths": ("--perturb-strengths",)},
    )
    boxes: OwnBoxesConfig = options_of(flags={"clips": ("--own-boxes-clips",)})
    steadiness: StabilityConfig = options_of(flags={"frames": ("--stability-frames",)})

    def run(self, output: Output) -> int:
        """Measure, and write; which crops could not be read was said when they were met."""
        check_replicates(self.config.replicates, "--replicates")
        from torchfakes_utils.evaluation.evaluate import evaluate
        from torchfakes_utils.report import write

        run, chosen = self.fetched(writes=True), self.robustness.perturbations
        config = dataclasses.replace(
            self.config,
            scoring=dataclasses.replace(self.scoring, progress=True),
            perturb=self.config.perturb or chosen is not None,
            robustness=dataclasses.replace(self.robustness, replicates=self.config.replicates),
            boxes=self.boxes,
            steadiness=self.steadiness,
        )
        write.check_places(run)
        found = evaluate(run, self.faces, config)
        whole = write.write_report(run, found, self.scoring.device)
        output.record(whole.to_json())
        output.line(*summary_lines(whole), f"the report is {run / run_files.PAGE_FILE}")
        return SOME_UNUSABLE if whole.data.unreadable else DONE


@dataclass(frozen=True)
class Calibrate(RunCommand):
    """Fix any detector's limits, temperature and ranges on a table of your own."""

    faces: Path = argument("FACES.CSV", "a table of faces that the detector has not learned from")
    scoring: Scoring = options_of(without=("progress",))
    split: str = option("of the table, with clips of both classes; all, if it has learned from none of them", "val")
    false_alarms: float = option("share of real clips that may be called fake", RATE)
    misses: float = option("share of fakes that may be called real", RATE)

    def run(self, output: Output) -> None:
        """Fix and store it; before and after are the record."""
        check_rate(self.false_alarms, "--false-alarms")
        check_rate(self.misses, "--misses")
        from torchfakes_utils.evaluation.calibrate import calibrate
        from torchfakes_utils.models.decision import Rates

        scoring, rates = dataclasses.replace(self.scoring, progress=True), Rates(self.false_alarms, self.misses)
        found = calibrate(self.fetched(writes=True), self.faces, self.split, scoring, rates)
        output.record(found.to_json())
        output.line(*calibration_lines(found))
        for note in (*found.notes, *found.after.cautions):
            say(note)


@dataclass(frozen=True)
class Matrix(Command):
    """Train on each manipulation alone, or on all but each, and test on all."""

    faces: Path = argument("FACES.CSV", "the table that `extract` wrote")
    out: Path = option("for the runs and matrix.csv", metavar="FOLDER")
    config: TrainingConfig = options_of(**_TRAINING)
    split: str = option("which rows of faces.csv are tested on", "test")
    frames: Count | None = option("crops of a clip at most that are tested on; None is all", None)
    leave_out: bool = option("train on all manipulations but each, and see what is made of the one left out", False)
    anyway: bool = option(_ANYWAY, False)

    def run(self, output: Output) -> None:
        """Train and test; the table is the record."""
        from torchfakes_utils.evaluation import cross_manipulation

        scoring = Scoring(device=self.config.device, frames=self.frames, progress=True)
        most_hours = _most_hours(self.anyway)
        found = cross_manipulation.matrix(
            self.faces, self.out, self.config, self.split, scoring, most_hours, self.leave_out
        )
        output.record(dataclasses.asdict(found))
        output.line(*cross_manipulation.lines(found), f"the table is {self.out / 'matrix.csv'}")


@dataclass(frozen=True)
class Explain(RunCommand):
    """Show and measure what in a face the detector looks at."""

    faces: Path = argument("FACES.CSV", "the table that `extract` wrote")
    config: ExplanationConfig = options_of(without=("controls", "progress"))
    out: Path | None = option("where pictures and tables go; None is RUN/explanations", None)

    def run(self, output: Output) -> None:
        """Draw and measure; a report that is there shows it from then on."""
        import msgspec

        from torchfakes_utils.explanation import explain
        from torchfakes_utils.io import tables
        from torchfakes_utils.report import write
        from torchfakes_utils.report.contents import Interpretation

        run = self.fetched(writes=True)
        if self.out is None and (run / run_files.REPORT_FILE).is_file():
            write.check_places(run)
        out = explain.explain(run, self.faces, self.out, dataclasses.replace(self.config, progress=True))
        crops = len(tables.read_table(out / run_files.EXPLANATIONS_FILE, explain.EXPLANATION_COLUMNS))
        written = (out / run_files.EXPLANATION_FILE).read_bytes()
        output.record(json.loads(written) | {"path": str(out), "pictures": crops})
        measured = msgspec.json.decode(written, type=Interpretation)
        output.line(f"{crops} overlays and their maps, and the tables of {measured.crops} crops, are in {out}")
        output.line(*attention_lines(measured))
        if self.out is None and write.refresh(run):
            output.line(f"{run / run_files.PAGE_FILE} shows them now")
