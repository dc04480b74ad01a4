"""What a detector is for: `predict`, `export`, `app`, `space`; and the course."""

import dataclasses
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchfakes_utils.app.config import AppConfig, AppLimits
from torchfakes_utils.cli.command import DONE, SOME_UNUSABLE, UNUSABLE, Command, RunCommand
from torchfakes_utils.cli.options import Count, argument, options_of
from torchfakes_utils.cli.output import Output, fail, say
from torchfakes_utils.export.config import ExportConfig
from torchfakes_utils.inference.config import FRAMES
from torchfakes_utils.io.limits import Limits

if TYPE_CHECKING:
    from torchfakes_utils.inference.predictor import Predictor


@dataclass(frozen=True)
class Predict(RunCommand):
    """Judge photos and videos.

    Attributes:
        files: photos, videos, folders of them, or patterns.
        frames: frames of a video that are looked at.
        csv: also write the answers there, a row a file.
        heat_maps: folder for a picture of each face with what spoke for fake.
        network: an export that computes instead of PyTorch (.onnx, .pte).
        max_megapixels: larger photos are refused; None is 100.
        max_seconds: longer videos are refused; None refuses none.
        device: auto, cpu, cuda, …
    """

    files: tuple[str, ...] = argument("FILE", "+")
    frames: Count = FRAMES
    csv: Path | None = None
    heat_maps: Path | None = None
    network: Path | None = None
    max_megapixels: Count | None = None
    max_seconds: Count | None = None
    device: str = "auto"

    def run(self, output: Output) -> int:
        """Judge file after file, each a record; none that is bad keeps the others from being judged."""
        from torchfakes_utils.cli import predict
        from torchfakes_utils.inference.verdict import CANNOT_TELL
        from torchfakes_utils.io import media

        predict.check_places(self.csv, self.heat_maps)
        predictor = self._predictor()
        sources = [name for pattern in self.files for name in media.matching(pattern)]
        answers = predictor.predict_many(sources, self.frames)
        if self.heat_maps is not None:
            answers = predict.with_heat_maps(predictor, sources, self.frames, self.heat_maps)
        started, predictions = time.monotonic(), []
        output.line(predict.HEADER)
        try:
            for prediction in answers:
                predictions.append(prediction)
                output.record(prediction.to_json())
                output.line(predict.line(prediction))
        finally:
            if self.csv is not None:  # also of a run that was interrupted
                predict.write(predictions, self.csv)
        say(predict.throughput(predictions, time.monotonic() - started))
        unusable = sum(prediction.verdict == CANNOT_TELL for prediction in predictions)
        if not unusable:
            return DONE if predictions else fail("no files there; folders are searched, hidden files are not", UNUSABLE)
        say(f"{unusable} of {len(predictions)} could not be judged")
        return UNUSABLE if unusable == len(predictions) else SOME_UNUSABLE

    def _predictor(self) -> "Predictor":
        from torchfakes_utils.inference.predictor import Predictor

        limits = Limits(seconds=self.max_seconds)
        if self.max_megapixels is not None:
            limits = dataclasses.replace(limits, pixels=self.max_megapixels * 1_000_000)
        if self.network is None:
            return Predictor.from_run(self.fetched(), self.device, limits=limits)
        from torchfakes_utils.export.description import check_same
        from torchfakes_utils.export.runtimes import load_network

        network = load_network(self.network)
        predictor = Predictor.from_run(self.fetched(), self.device, limits=limits, network=network)
        check_same(network.description, predictor.detector, self.network)
        return predictor


@dataclass(frozen=True)
class Export(RunCommand):
    """Write a run's best detector for other runtimes, and check it."""

    config: ExportConfig = options_of(without=("say",), flags={"precisions": ("--precision",)})

    def run(self, output: Output) -> int:
        """Export; files that were refused are named."""
        from torchfakes_utils.export import parity
        from torchfakes_utils.export.export import export_run

        exported = export_run(self.fetched(writes=True), dataclasses.replace(self.config, say=say))
        output.record({"format": self.config.format, "path": str(exported.folder)} | exported.to_json())
        for line in parity.lines(exported):
            output.line(line)
        # Of a page only the file that it loads is kept.
        there = ", ".join(one.file for one in exported.files if (exported.folder / one.file).is_file())
        output.line(f"{there}, the face networks and parity.md are in {exported.folder}")
        if self.config.format == "web":
            output.line(
                f"to try it: python -m http.server --directory {exported.folder}, then open http://localhost:8000"
            )
        for why in exported.refused.values():
            say(why)
        return SOME_UNUSABLE if exported.refused else DONE


@dataclass(frozen=True)
class App(RunCommand):
    """Serve a page on which photos and videos are judged.

    Attributes:
        examples: Mini-FF++, to show clips of; None is data/mini, where it is.
        device: auto, cpu, cuda, …
    """

    config: AppConfig = options_of(without=("limits", "examples"))
    limits: AppLimits = options_of(
        flags={name: (f"--max-{name}",) for name in ("megabytes", "seconds", "megapixels", "gigabytes")}
    )
    examples: Path | None = None
    device: str = "auto"

    def run(self, output: Output) -> int:
        """Serve it until somebody stops it."""
        from torchfakes_utils.app import server
        from torchfakes_utils.app.examples import usual_examples

        config = dataclasses.replace(self.config, limits=self.limits, examples=usual_examples(self.examples))

        def ready(served: Any) -> None:
            if config.share and served.shared is None:
                say("gradio.live gave no public address; the app can be reached here only")
            output.record({"url": served.url, "shared": served.shared})
            output.line(f"the app answers at {served.shared or served.url} (Ctrl-C stops it)")

        server.serve_run(self.fetched(), config, self.device, ready)
        return DONE


@dataclass(frozen=True)
class Space(RunCommand):
    """Make a folder for Hugging Face Spaces: the app with its detector.

    Attributes:
        out: the folder.
        data: Mini-FF++, for the examples; None is data/mini, or a small one made now.
    """

    out: Path = Path("build/space")
    data: Path | None = None

    def run(self, output: Output) -> int:
        """Make it; its files are the record."""
        from torchfakes_utils.app import space

        files = space.build(self.fetched(), self.out, self.data)
        output.record({"folder": str(self.out), "files": files})
        output.line(f"a Hugging Face Space is in {self.out}; try it: cd {self.out} && python app.py")
        return DONE


@dataclass(frozen=True)
class Course(Command):
    """Run every notebook and write a page for each.

    Attributes:
        names: only these, such as 03; all where none is named.
        notebooks: the notebooks' folder.
        out: where pages and report.json go.
    """

    names: tuple[str, ...] = argument("NAME", "*")
    notebooks: Path = Path("notebooks")
    out: Path = Path("build/course")

    def run(self, output: Output) -> int:
        """Run them; the report is the record."""
        from torchfakes_utils.course import runner

        status = runner.run(self.notebooks, self.out, only=list(self.names) or None)
        report = self.out / "report.json"
        if report.is_file():
            output.record(json.loads(report.read_text(encoding="utf-8")))
            output.line(f"pages and {report.name} are in {self.out}")
        return status
