"""Data beyond the one set that a detector is made of: real faces for training without fakes, and tables across sets."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from torchfakes_utils.cli.command import Command, Count, RunCommand, argument, option, options_of
from torchfakes_utils.cli.output import DONE, SOME_UNUSABLE, Output, say
from torchfakes_utils.cli.stages import say_extracted
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import Scoring
from torchfakes_utils.faces.config import ExtractionConfig


@dataclass(frozen=True)
class Faces(Command):
    """Get real faces without a form: LFW, or photos of your own, cut for training on reals alone."""

    source: str = argument("lfw|FOLDER", "Labeled Faces in the Wild, or a folder of photos with a folder a person")
    out: Path = option("where clips.csv, faces/faces.csv and what is fetched go", metavar="FOLDER")
    config: ExtractionConfig = options_of(without=("frames", "compression", "methods", "reuse"))
    most: Count | None = option("photos at most, one of each person before a second of anybody; None is all", None)
    archive: Path | None = option("lfw.tgz, where you have it; None fetches it", None)
    mirror: str | None = option("another address of lfw.tgz", None)
    workers: Count = option("processes; several bring something from hundreds of photos on", 1)
    overwrite: bool = option("replace crops that were cut in another way", False)

    def run(self, output: Output) -> int:
        """Fetch, list and cut; photos that gave no face are named."""
        from torchfakes_utils.datasets import lfw, photos
        from torchfakes_utils.faces import extraction

        is_lfw = self.source == "lfw"
        if not is_lfw and (self.archive is not None or self.mirror is not None):
            raise InputError(f"--archive and --mirror are for lfw, not for {self.source}")
        if not is_lfw and self.out.resolve().is_relative_to(Path(self.source).resolve()):
            raise InputError(f"--out {self.out} lies among the photos in {self.source}; give a folder elsewhere")
        root = lfw.fetch_lfw(self.out / "photos", self.archive, self.mirror) if is_lfw else Path(self.source)
        photos.index_photos(root, self.out / "clips.csv", self.most)
        faces = self.out / "faces"
        report = extraction.extract_faces(self.out, faces, self.config, self.workers, True, self.overwrite)
        status = say_extracted(report, faces, output)
        output.line(f"to train on them: torchfakes train {faces / 'faces.csv'} --self-blended 1 --out RUN")
        return status


@dataclass(frozen=True)
class Across(RunCommand):
    """Measure a run on other data sets, each cut as it needs; one table with intervals."""

    data: tuple[str, ...] = argument("DATA", "folders of data sets as they were fetched, or tables faces.csv", "+")
    out: Path = option("for across.csv, across.json and what is cut of folders", metavar="FOLDER")
    scoring: Scoring = options_of(without=("progress",))
    split: str = option("which rows; all takes every clip, of data that the run has not learned from", "test")
    workers: Count = option("processes that cut; several bring something from hundreds of clips on", 1)

    def run(self, output: Output) -> int:
        """Cut what is not cut yet, score and measure; a row a data set and method, the table the record."""
        from torchfakes_utils.evaluation import across

        scoring = dataclasses.replace(self.scoring, progress=True)
        data = [Path(name) for name in self.data]
        found = across.across(self.fetched(), data, self.out, self.split, scoring, self.workers)
        output.record(dataclasses.asdict(found))
        output.line(*across.lines(found), f"the table is {self.out / across.TABLE_FILE}")
        for name, reason in found.left_out.items():
            say(f"{name}: {reason}")
        return SOME_UNUSABLE if found.left_out else DONE
