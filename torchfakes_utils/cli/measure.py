"""From crops to a detector, and what it is worth: `train`, `evaluate`, `matrix`, `explain`."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torchfakes_utils.cli.command import DONE, SOME_UNUSABLE, Command, RunCommand
from torchfakes_utils.cli.options import Count, argument, option, options_of
from torchfakes_utils.cli.output import Output, attention_lines, summary_lines
from torchfakes_utils.evaluation.config import EvaluationConfig, RobustnessConfig, Scoring
from torchfakes_utils.explanation.config import ExplanationConfig
from torchfakes_utils.models import run_files
from torchfakes_utils.training.config import TrainingConfig


# The command tells the local tracker; a call from a program tells nobody unless it asks for it.
def _training() -> Any:
    return options_of(flags={"learning_rate": ("--learning-rate", "--lr")}, tracker="auto")


@dataclass(frozen=True)
class Train(Command):
    """Fine-tune a detector; the same command again goes on or finishes.

    Attributes:
        faces: the table that `extract` wrote.
        out: the run's folder, such as runs/mini.
    """

    faces: Path = argument("FACES.CSV")
    out: Path = option("--out", "RUN")
    config: TrainingConfig = _training()

    def run(self, output: Output) -> int:
        """Train; every epoch is a record, the best one the last."""
        from torchfakes_utils.training import run

        result = run.train(self.faces, self.out, self.config, on_epoch=output.record)
        output.record({"best": result.best, "run": str(result.run), "note": result.note})
        output.line(f"the detector of epoch {result.best['epoch']} is in {result.run / 'best'}")
        return DONE


@dataclass(frozen=True)
class Evaluate(RunCommand):
    """Measure a run, and write report.html, report.json, model card.

    Attributes:
        faces: the table that `extract` wrote.
    """

    faces: Path = argument("FACES.CSV")
    config: EvaluationConfig = options_of(without=("scoring", "robustness"))
    scoring: Scoring = options_of(without=("progress",))
    robustness: RobustnessConfig = options_of(without=("replicates", "seed"), flags={"frames": ("--perturb-frames",)})

    def run(self, output: Output) -> int:
        """Measure, and write; which crops could not be read was said when they were met."""
        from torchfakes_utils.evaluation.evaluate import evaluate
        from torchfakes_utils.report import write

        run, chosen = self.fetched(writes=True), self.robustness.perturbations
        config = dataclasses.replace(
            self.config,
            scoring=dataclasses.replace(self.scoring, progress=True),
            perturb=self.config.perturb or chosen is not None,
            robustness=dataclasses.replace(self.robustness, replicates=self.config.replicates),
        )
        found = evaluate(run, self.faces, config)
        whole = write.write_report(run, found, self.scoring.device)
        output.record(whole.to_json())
        for line in summary_lines(whole):
            output.line(line)
        output.line(f"the report is {run / run_files.PAGE_FILE}")
        return SOME_UNUSABLE if whole.data.unreadable else DONE


@dataclass(frozen=True)
class Matrix(Command):
    """Train on each manipulation alone, and test each on all of them.

    Attributes:
        faces: the table that `extract` wrote.
        out: for the runs and matrix.csv.
        split: which rows of faces.csv are tested on.
        frames: crops of a clip at most that are tested on; None is all.
    """

    faces: Path = argument("FACES.CSV")
    out: Path = option("--out", "FOLDER")
    config: TrainingConfig = _training()
    split: str = "test"
    frames: Count | None = None

    def run(self, output: Output) -> int:
        """Train and test; the table is the record."""
        from torchfakes_utils.evaluation import cross_manipulation

        scoring = Scoring(device=self.config.device, frames=self.frames, progress=True)
        found = cross_manipulation.matrix(self.faces, self.out, self.config, self.split, scoring)
        output.record(dataclasses.asdict(found))
        for line in cross_manipulation.lines(found):
            output.line(line)
        output.line(f"the table is {self.out / 'matrix.csv'}")
        return DONE


@dataclass(frozen=True)
class Explain(RunCommand):
    """Show and measure what in a face the detector looks at.

    Attributes:
        faces: the table that `extract` wrote.
        out: where pictures and tables go; None is RUN/explanations.
    """

    faces: Path = argument("FACES.CSV")
    config: ExplanationConfig = options_of(without=("controls", "progress"))
    out: Path | None = None

    def run(self, output: Output) -> int:
        """Draw and measure; a report that is there shows it from then on."""
        import msgspec

        from torchfakes_utils.explanation import explain
        from torchfakes_utils.io import tables
        from torchfakes_utils.report import write
        from torchfakes_utils.report.contents import Interpretation

        run = self.fetched(writes=True)
        out = explain.explain(run, self.faces, self.out, dataclasses.replace(self.config, progress=True))
        crops = len(tables.read_table(out / run_files.EXPLANATIONS_FILE, explain.EXPLANATION_COLUMNS))
        written = (out / run_files.EXPLANATION_FILE).read_bytes()
        output.record(json.loads(written) | {"path": str(out), "pictures": crops})
        measured = msgspec.json.decode(written, type=Interpretation)
        output.line(f"{crops} overlays and their maps, and the tables of {measured.crops} crops, are in {out}")
        for line in attention_lines(measured):
            output.line(line)
        if self.out is None and write.refresh(run):
            output.line(f"{run / run_files.PAGE_FILE} shows them now")
        return DONE
