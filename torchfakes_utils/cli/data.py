"""From films to crops: `mini`, `clips`, `verify`, `extract`."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from torchfakes_utils.cli.command import DONE, SOME_UNUSABLE, UNUSABLE, Command
from torchfakes_utils.cli.options import Count, argument, option, options_of
from torchfakes_utils.cli.output import Output, say
from torchfakes_utils.datasets.mini.config import MiniConfig
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.config import ExtractionConfig

# Of a long list of failures only these many are named on the terminal; the table names them all.
_NAMED_FAILURES = 10


@dataclass(frozen=True)
class Mini(Command):
    """Make Mini-FF++, a small data set in FaceForensics++'s layout.

    Attributes:
        out: the data set's folder, such as data/mini.
        workers: processes; None is one a core.
    """

    out: Path = argument("FOLDER")
    config: MiniConfig = options_of()
    workers: Count | None = None

    def run(self, output: Output) -> int:
        """Make it; the folder and the configuration are the record."""
        from torchfakes_utils.datasets.mini.build import build_mini

        path = build_mini(self.out, self.config, workers=self.workers)
        output.record({"path": str(path), **dataclasses.asdict(self.config)})
        output.line(f"Mini-FF++ with {self.config.identities} identities is in {path}")
        return DONE


@dataclass(frozen=True)
class Clips(Command):
    """List a data set's videos in clips.csv, and split them.

    Attributes:
        root: the data set; a partial download will do.
        split: official, or strict: nobody, and no YouTube video, on two sides.
        layout: whose folders they are: auto, faceforensics, celeb-df or dfdc.
        from_csv: take the videos from a table of yours: path, label and more.
        out: the table; None is clips.csv in FOLDER.
        methods: only these manipulations; None is all.
        compressions: only these, of raw, c23 and c40; None is all.
    """

    root: Path = argument("FOLDER")
    split: str = "official"
    layout: str = "auto"
    from_csv: Path | None = None
    out: Path | None = None
    methods: tuple[str, ...] | None = None
    compressions: tuple[str, ...] | None = None

    def run(self, output: Output) -> int:
        """Write the table; how many clips there are of what, and what the splits share, is the record."""
        from torchfakes_utils.datasets import splits
        from torchfakes_utils.datasets.layouts import index_clips, write_from_csv
        from torchfakes_utils.io import tables

        if self.from_csv is not None:
            path = write_from_csv(self.from_csv, self.out or self.root / "clips.csv")
        else:
            path = index_clips(self.root, self.out, self.layout, self.methods, self.compressions, self.split)
        clips = tables.read_table(path, tables.CLIP_COLUMNS)
        fake = int(clips["label"].sum())
        counts = {
            name: clips[name].value_counts().sort_index().to_dict() for name in ("method", "compression", "split")
        }
        try:
            films = splits.read_films(self.root)
        except InputError:
            films = {}  # whether a film is on two sides is then not known
        leaks = splits.leaks(clips, films).astype(object)
        leaks = leaks.where(leaks.notna(), None).to_dict("index")
        summary = {"path": str(path), "clips": len(clips), "real": len(clips) - fake, "fake": fake, **counts}
        output.record(summary | {"leaks": leaks})
        output.line(f"{len(clips)} clips ({len(clips) - fake} real, {fake} fake) are listed in {path}")
        for name, values in counts.items():
            output.line(f"  by {name}: " + ", ".join(f"{value or '(none)'} {count}" for value, count in values.items()))
        for split, row in leaks.items():
            if row["clips"]:
                known = [name for name in row if name != "clips" and row[name] is not None]
                shares = [f"the {name.removesuffix('_in_train')} of {row[name]:.1%}" for name in known]
                output.line(f"  {split} clips that training knows: {', '.join(shares)}")
        return DONE


@dataclass(frozen=True)
class Verify(Command):
    """Open every video of a FaceForensics++ folder, and count them.

    Attributes:
        root: the data set; its manifest.csv is written there.
        methods: only these, youtube among them; None is all.
        compressions: only these, of raw, c23 and c40; None is all.
        num_videos: how many videos each part should have.
        complete: each part should have all its videos.
        masks: each part that has masks should have as many of them.
        delete_damaged: delete what cannot be opened.
        workers: files read at once.
    """

    root: Path = argument("FOLDER")
    methods: tuple[str, ...] | None = None
    compressions: tuple[str, ...] | None = None
    num_videos: Count | None = None
    complete: bool = False
    masks: bool = False
    delete_damaged: bool = False
    workers: Count = 4

    def run(self, output: Output) -> int:
        """Look at every file; what is damaged and missing is named."""
        from torchfakes_utils.datasets import verification

        wanted = verification.Wanted(self.methods, self.compressions, self.num_videos, self.complete, self.masks)
        found = verification.verify(self.root, wanted, self.workers, True, self.delete_damaged)
        output.record(dataclasses.asdict(found))
        manifest = self.root / "manifest.csv"
        output.line(f"{found.files} files, {found.bytes / 1e9:.2f} GB; their checksums are in {manifest}")
        for path, reason in found.damaged:
            say(f"{path}: {reason}" + ("; deleted" if self.delete_damaged else ""))
        for line in found.missing:
            say(f"missing: {line}")
        return DONE if found.whole else SOME_UNUSABLE


@dataclass(frozen=True)
class Extract(Command):
    """Cut the faces out of the clips.

    Attributes:
        root: the data set, with its clips.csv.
        out: where crops and faces.csv go.
        workers: processes; several bring something from hundreds of clips on.
        scheduler: work on the workers of the dask scheduler at this address instead.
        overwrite: replace crops that were cut in another way.
    """

    root: Path = argument("FOLDER")
    out: Path = option("--out", "FOLDER")
    config: ExtractionConfig = options_of()
    workers: Count = 1
    scheduler: str | None = None
    overwrite: bool = False

    def run(self, output: Output) -> int:
        """Cut; clips that gave no face are named."""
        from torchfakes_utils.faces import extraction
        from torchfakes_utils.faces.workers import Workers
        from torchfakes_utils.io import tables

        workers = Workers(self.workers, self.scheduler)
        report = extraction.extract_faces(self.root, self.out, self.config, workers, True, self.overwrite)
        output.record(dataclasses.asdict(report))
        table, seconds = self.out / "faces.csv", report.seconds
        output.line(f"{report.faces} faces from {report.clips} clips in {seconds:.0f} s: {table}")
        if not report.failures:
            return DONE
        table = self.out / tables.FAILURES_FILE
        for row in tables.read_table(table, tables.FAILURE_COLUMNS).head(_NAMED_FAILURES).itertuples():
            say(f"{row.path}: {row.reason}")
        say(f"{report.failures} of {report.clips} clips gave no face; {table} names each, with the reason")
        return SOME_UNUSABLE if report.faces else UNUSABLE
