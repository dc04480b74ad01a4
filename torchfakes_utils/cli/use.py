"""What a detector is for: `predict`, `export`, `push` and `pull`, `app`, `space`; and the course."""

import dataclasses
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torchfakes_utils import __version__
from torchfakes_utils.app.config import AppConfig, AppLimits
from torchfakes_utils.cli.command import Command, Count, RunCommand, argument, option, options_of
from torchfakes_utils.cli.output import DONE, SOME_UNUSABLE, UNUSABLE, Output, say
from torchfakes_utils.errors import InputError
from torchfakes_utils.export.config import ExportConfig
from torchfakes_utils.io.limits import Limits
from torchfakes_utils.metrics.config import FRAMES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from torchfakes_utils.audio.judging import VoiceVerdict
    from torchfakes_utils.hub.offers import Offer
    from torchfakes_utils.inference.films import FilmPredictor
    from torchfakes_utils.inference.predictor import Predictor
    from torchfakes_utils.inference.verdict import Prediction


@dataclass(frozen=True)
class Predict(RunCommand):
    """Judge photos and videos, and with --audio voices."""

    files: tuple[str, ...] = argument("FILE", "photos, videos, folders of them, or patterns", "*")
    audio: Path | None = option(
        "also judge the voice, by the run of `train-audio` in this folder: a verdict of its own, beside that on the "
        "faces; without RUN, the voice alone",
        None, metavar="AUDIO_RUN",
    )  # fmt: skip
    frames: Count = option(
        "frames of a video that are looked at, evenly spread; up to four times as many of a long one (one in ten "
        "seconds) and of one with short shots (three in each); of a detector of films, windows that are",
        FRAMES,
    )
    csv: Path | None = option("also write the answers there, a row a file; takes the place of such a table alone", None)
    heat_maps: Path | None = option("new folder for a picture of each face with what pointed to fake", None)
    network: Path | None = option("an export that computes instead of PyTorch (.onnx, .pte)", None)
    max_megapixels: Count = option("larger photos are refused", Limits.pixels // 1_000_000)
    max_seconds: Count | None = option("longer videos are refused; None refuses none", None)
    patience: Count = option("seconds that a file may take to be read", round(Limits.patience))
    device: str = option("auto, cpu, cuda, …", "auto")

    def run(self, output: Output) -> int:
        """Judge file after file, each a record; none that is bad keeps the others from being judged."""
        from torchfakes_utils.cli import predict
        from torchfakes_utils.inference.predictor import Predictor
        from torchfakes_utils.io import media
        from torchfakes_utils.models.decision import CANNOT_TELL

        if self.audio is not None and self._sound_alone():
            return predict.voices_alone(self.audio, [str(self.run_folder), *self.files], self.device, output)
        if not self.files:
            raise InputError("no file to judge; name photos or videos after RUN")
        predict.check_places(self.csv, self.heat_maps, self.audio is not None)
        predictor = self._predictor()
        voice = predict.voice_judge(self.audio, self.device)
        sources = [name for pattern in self.files for name in media.matching(pattern)]
        answers: Iterable[Prediction] = predictor.predict_many(sources, self.frames)
        if self.heat_maps is not None and isinstance(predictor, Predictor):
            answers = predict.with_heat_maps(predictor, sources, self.frames, self.heat_maps)
        started, predictions = time.monotonic(), []
        voices: list[VoiceVerdict] = []
        output.line(predict.HEADER)
        try:
            for prediction in answers:
                predictions.append(prediction)
                heard = None if voice is None else voice.judge(prediction.path)
                voices += [heard] if heard is not None else []
                output.record(prediction.to_json() | ({} if heard is None else {"voice": heard.to_json()}))
                output.line(predict.line(prediction), *([] if heard is None else [predict.voice_line(heard)]))
        finally:
            if self.csv is not None:  # also of a run that was interrupted
                predict.write(predictions, self.csv, voices)
        output.line(*predict.about(predictor.detector.decision), *predict.about_voices(voices))
        say(predict.throughput(predictions, time.monotonic() - started))
        unusable = sum(prediction.verdict == CANNOT_TELL for prediction in predictions)
        if voices:  # whoever gets one of the two verdicts got an answer
            both = zip(predictions, voices, strict=False)
            unusable = sum(one.verdict == CANNOT_TELL and other.verdict == CANNOT_TELL for one, other in both)
        if not predictions:
            say("no files there; folders are searched, hidden files are not")
        elif unusable:
            say(f"{unusable} of {len(predictions)} got no verdict: it cannot tell")
        if unusable == len(predictions):
            return UNUSABLE
        return SOME_UNUSABLE if unusable else DONE

    def _sound_alone(self) -> bool:
        """Whether what stands in RUN's place is no run but the first file."""
        return isinstance(self.run_folder, Path) and not self.run_folder.is_dir()

    def _predictor(self) -> "Predictor | FilmPredictor":
        from torchfakes_utils.inference.predictor import Predictor
        from torchfakes_utils.temporal.detector import is_video

        limits = Limits(self.max_megapixels * 1_000_000, self.max_seconds, patience=self.patience)
        if is_video(self.fetched()):
            from torchfakes_utils.inference.films import FilmPredictor

            if self.network is not None or self.heat_maps is not None:
                option = "--network" if self.network is not None else "--heat-maps"
                raise InputError(f"{option} is for detectors of face crops; {self.run_folder} is one of films")
            return FilmPredictor.from_run(self.fetched(), self.device, limits)
        if self.network is None:
            return Predictor.from_run(self.fetched(), self.device, limits=limits)
        from torchfakes_utils.export.description import check_same, use_limit
        from torchfakes_utils.export.runtimes import load_network

        network = load_network(self.network)
        predictor = Predictor.from_run(self.fetched(), self.device, limits=limits, network=network)
        check_same(network.description, predictor.detector, self.network)
        use_limit(predictor.detector, network.description)
        return predictor


@dataclass(frozen=True)
class Export(RunCommand):
    """Write a run's best detector for other runtimes, and check it."""

    config: ExportConfig = options_of(without=("say",), flags={"precisions": ("--precision",)})

    def run(self, output: Output) -> int:
        """Export; files that were refused are named."""
        from torchfakes_utils.export import parity
        from torchfakes_utils.export.export import export_run
        from torchfakes_utils.temporal.detector import is_video

        if is_video(self.fetched()):
            return self._film(output)
        exported = export_run(self.fetched(writes=True), dataclasses.replace(self.config, say=say))
        output.record({"format": self.config.format, "path": str(exported.folder)} | exported.to_json())
        output.line(*parity.lines(exported))
        # Of a page only the file that it loads is kept.
        there = ", ".join(one.file for one in exported.files if (exported.folder / one.file).is_file())
        output.line(f"{there}, the face networks and parity.md are in {exported.folder}")
        if self.config.format == "web":
            serve = f"python -m http.server --directory {exported.folder}"
            output.line(f"to try it: {serve}, then open http://localhost:8000")
        for why in exported.refused.values():
            say(why)
        return SOME_UNUSABLE if exported.refused else DONE

    def _film(self, output: Output) -> int:
        from torchfakes_utils.export.film_head import export_film

        if self.config.format != "onnx":
            raise InputError(f"{self.run_folder} is of films, and exported as onnx alone, not as {self.config.format}")
        made = export_film(self.fetched(writes=True), self.config.out)
        output.record({"format": "onnx"} | dataclasses.asdict(made) | {"path": str(made.path)})
        output.line(f"{made.path}: crops ({made.ticks}, 3, {made.size}, {made.size}) to logit and P(fake); it differs "
                    f"from PyTorch by {made.difference:.1g} at most")  # fmt: skip
        return DONE


@dataclass(frozen=True)
class Push(RunCommand):
    """Publish a run's best detector, its model card and report on the Hub."""

    name: str = argument("OWNER/NAME", "the repository on the Hugging Face Hub")
    public: bool = option("for everybody; otherwise only its owner sees it", False)
    revision: str | None = option("the branch to write to; None is the main one", None)
    message: str | None = option("of the commit; None says which weights they are", None)

    def run(self, output: Output) -> None:
        """Publish it; where it is then is the record."""
        from torchfakes_utils.hub.push import push

        pushed = push(self.fetched(), self.name, not self.public, self.revision, self.message)
        output.record(dataclasses.asdict(pushed))
        seen = "private" if pushed.private else "public"
        output.line(f"{', '.join(pushed.files)} are at {pushed.url} ({seen})")
        output.line(f"this detector for ever: hf://{self.name}@{pushed.commit}")
        for note in pushed.notes:
            say(note)


@dataclass(frozen=True)
class Pull(Command):
    """Fetch a detector from the Hub, or one that others have published, and check it."""

    name: str = argument(
        "NAME",
        "owner/name on the Hugging Face Hub, or one of others: gend-clip-l14, gend-pe-l, gend-dinov3-l (WACV 2026), "
        "deepfakebench-xception, deepfakebench-effnb4 (from a file of yours, with --files)",
    )
    place: Path | None = argument(
        "RUN",
        "folder for it; without, one of the Hub stays in the Hub's cache, and a published one goes to runs/NAME",
        "?",
    )
    revision: str | None = option(
        "a branch, a tag or a commit; None is the main branch, or the commit named here", None
    )
    out: Path | None = option("the same as RUN", None)
    files: Path | None = option("folder with a published detector's files, or its one file, fetched by hand", None)
    accept_licence: bool = option("you have read what is said of it and accept its licence (asked otherwise)", False)

    def run(self, output: Output) -> None:
        """Fetch it; the commit and the folder are the record."""
        from torchfakes_utils.hub import pull
        from torchfakes_utils.hub.catalogue import PUBLISHED

        out = self._folder()
        if self.name in PUBLISHED:
            self._published(output, out)
            return
        if "/" not in self.name:
            known = ", ".join(PUBLISHED)
            raise InputError(f"{self.name!r}: neither owner/name on the Hub nor a published detector ({known})")
        if self.files is not None:
            raise InputError(f"--files is for a published detector ({', '.join(PUBLISHED)}), not for {self.name}")
        if out is not None:
            pull.check_place(out)
        cached = pull.pull(self.name, self.revision)
        folder = cached if out is None else pull.copy(cached, out)
        output.record({"name": self.name, "commit": cached.name, "folder": str(folder)})
        output.line(f"{self.name} at commit {cached.name} is in {folder}")

    def _folder(self) -> Path | None:
        if None not in (self.place, self.out) and self.place != self.out:
            raise InputError(f"two folders for it, {self.place} and {self.out}; give one")
        return self.place or self.out

    def _published(self, output: Output, out: Path | None) -> None:
        from torchfakes_utils.hub.held import origin_of
        from torchfakes_utils.hub.published import pull_published
        from torchfakes_utils.models.stored import stored_decision

        folder = pull_published(self.name, out, self._accept, self.files, self.revision)
        origin = origin_of(folder)
        where = {"commit": origin["revision"], "folder": str(folder), "sha256": origin["sha256"]}
        output.record({"name": self.name, **where})
        at = f" at commit {origin['revision']}" if origin["revision"] else ""
        output.line(f"{self.name}{at} is in {folder} (their file's SHA-256: {origin['sha256']})")
        for caution in stored_decision(folder).cautions:
            say(caution)

    def _accept(self, offer: "Offer") -> bool:
        """Say what it is, and ask where nobody has answered yet."""
        for line in offer.lines():
            say(line)
        if self.accept_licence or not sys.stdin.isatty():
            return self.accept_licence
        print("Do you accept its licence? Type yes: ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip() == "yes"


@dataclass(frozen=True)
class App(RunCommand):
    """Serve a page on which photos and videos are judged."""

    config: AppConfig = options_of(without=("limits", "examples", "framed_by", "gate"))
    limits: AppLimits = options_of(
        flags={name: (f"--max-{name}",) for name in ("megabytes", "seconds", "megapixels", "gigabytes", "files")}
    )
    examples: Path | None = option("Mini-FF++, to show clips of; None is data/mini, where it is", None)
    device: str = option("auto, cpu, cuda, …", "auto")

    def run(self, output: Output) -> None:
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


@dataclass(frozen=True)
class Space(RunCommand):
    """Make a folder for Hugging Face Spaces: the app with its detector."""

    out: Path = option("the folder", Path("build/space"))
    data: Path | None = option("Mini-FF++, for the examples; None is data/mini, or a small one made now", None)

    def run(self, output: Output) -> None:
        """Make it; its files are the record."""
        from torchfakes_utils.app import space

        files = space.build(self.fetched(), self.out, self.data)
        output.record({"folder": str(self.out), "files": files})
        output.line(f"a Hugging Face Space is in {self.out}; try it: cd {self.out} && python app.py")


@dataclass(frozen=True)
class Course(Command):
    """Run every notebook and write a page for each; or lay the lessons down in a folder, or begin one of your own."""

    names: tuple[str, ...] = argument(
        "NAME", "only these, such as 03; all where none is named. Or: init FOLDER. Or: new TITLE", "*"
    )
    notebooks: Path = option("the notebooks' folder", Path("notebooks"))
    out: Path = option("where pages and report.json go", Path("build/course"))
    outputs: bool = option("init lays them down with what they showed when they were built", False)

    def run(self, output: Output) -> int:
        """Run them; the report is the record."""
        if self.names[:1] == ("new",):
            return self._new(output)
        if self.names[:1] == ("init",):
            return self._init(output)
        from torchfakes_utils.course import runner

        status = runner.run(self.notebooks, self.out, only=list(self.names) or None)
        report = self.out / "report.json"
        if report.is_file():
            output.record(json.loads(report.read_text(encoding="utf-8")))
            output.line(f"pages and {report.name} are in {self.out}")
        return status

    def _init(self, output: Output) -> int:
        """Lay the lessons down."""
        from torchfakes_utils.course import laid_down

        if len(self.names) != 2:
            raise InputError("give one folder: torchfakes course init lessons")
        done = laid_down.lay_down(Path(self.names[1]), self.outputs)
        output.record({"folder": str(done.folder), "lessons": len(done.lessons), "kept": list(map(str, done.kept))})
        for file in done.kept:
            say(f"{file}: kept as you have changed it; remove it to get ours")
        output.line(f"{len(done.lessons)} lessons are in {done.folder}; open them: jupyter lab {done.folder}")
        return DONE

    def _new(self, output: Output) -> int:
        """Make a lesson in the checkout around this folder."""
        from torchfakes_utils.course import folders, scaffold

        made = scaffold.new_lesson(" ".join(self.names[1:]), folders.paths().home)
        files = {"twin": made.twin, "exercises": made.module, "test": made.test}
        output.record({"number": made.number} | {name: folders.short(file) for name, file in files.items()})
        for name, file in files.items():
            output.line(f"{name:<10} {folders.short(file)}")
        changed = " and ".join(folders.short(file) for file in made.changed)
        output.line(
            f"{changed} have its quiz and its line; now replace what is in brackets, and then",
            f"  make notebooks NAMES={made.number} && make architecture",
            f'  make test PYTEST="-k {made.number} or form or step"',
        )
        return DONE


@dataclass(frozen=True)
class Bundle(Command):
    """Pack wheels, lessons, practice data and trained detectors into one archive, for a room without a network."""

    out: Path = argument("FILE.tar", "the archive, such as torchfakes-bundle.tar")
    platforms: tuple[str, ...] = option(
        "for which the wheels are, as pip names them (manylinux_2_28_x86_64, macosx_14_0_arm64, win_amd64); this "
        "machine's where none is named, and several may stand for one system",
        (),
    )
    python: str | None = option("for which Python, such as 3.12; None is this one", None)
    wheels: bool = option("put wheels in; without, it is for machines that are set up", True)

    def run(self, output: Output) -> int:
        """Pack; what is in it is the record."""
        from torchfakes_utils.course import bundle

        config = bundle.BundleConfig(self.platforms, self.python, wheels=self.wheels)
        made = bundle.make_bundle(self.out, config)
        output.record(dataclasses.asdict(made) | {"path": str(made.path)})
        output.line(f"{made.path}: {made.size / 1e9:.2f} GB, with {', '.join(made.inputs)}")
        output.line(f"SHA-256 {made.sha256}")
        output.line(f"unpack it with tar --extract, then: python3 {bundle.NAME}/install.py")
        if made.missing:
            say(f"not in it, since not made here: {', '.join(made.missing)}; make course makes them")
        return SOME_UNUSABLE if made.missing else DONE


@dataclass(frozen=True)
class Doctor(Command):
    """Say what this machine lacks of what TorchFakes needs, and how to get it."""

    def run(self, output: Output) -> int:
        """Look; each finding is a record, and so is the sum, which may be sent to whoever helps."""
        from torchfakes_utils.cli import doctor

        found = doctor.examine()
        width = max(len(one.name) for one in found)
        for one in found:
            output.record(dataclasses.asdict(one))
            remedy = f"\n{'':<{width + 9}}{one.remedy}" if one.remedy else ""
            output.line(f"{one.state:<6} {one.name:<{width}}  {one.said}{remedy}")
        wrong = [one.name for one in found if one.state == doctor.WRONG]
        output.record({"wrong": wrong, "version": __version__})
        output.line(f"to be mended: {', '.join(wrong)}" if wrong else "nothing is in the way")
        return SOME_UNUSABLE if wrong else DONE


@dataclass(frozen=True)
class Capstone(Command):
    """Make the clips of the course's last task, or grade what somebody hands in."""

    folder: Path = argument("FOLDER", "of the clips, made where it is missing, and of the board")
    hand_in: Path | None = option("a table of clip_id, probability_fake and, if you like, verdict", None)
    name: str | None = option("whose hand-in it is, for the board", None)
    key: Path | None = option(
        "keep the answers in this file instead of sealed in the folder; needed again to grade", None
    )
    seed: int | None = option("of the clips; drawn, and known to nobody, where none is given", None)

    def run(self, output: Output) -> int:
        """Make clips, or grade; the grade is the record."""
        from torchfakes_utils.course import capstone

        if self.hand_in is None:
            if self.name is not None:
                raise InputError("--name is for a hand-in; give the table with --hand-in")
            folder = capstone.make(self.folder, self.seed, self.key)
            clips = folder / capstone.CLIPS
            count = len(list(clips.glob("*.mp4")))
            output.record({"folder": str(clips), "clips": count})
            output.line(f"{count} clips are in {clips}")
            output.line(f"hand in: torchfakes capstone {folder} --hand-in scores.csv --name NAME")
            return DONE
        if self.seed is not None:
            raise InputError("--seed is for making clips; a hand-in has none")
        grade, place, board = capstone.hand_in(self.folder, self.hand_in, self.name or "", self.key)
        output.record(dataclasses.asdict(grade) | {"place": place, "of": len(board)})
        output.line(*grade.lines(), f"place {place} of {len(board)} on {self.folder / capstone.BOARD}")
        return DONE
