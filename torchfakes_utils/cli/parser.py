"""The grammar of the `torchfakes` command: stages, options, and defaults, which are those of the stages."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from torchfakes_utils import __version__

UNUSABLE = 2  # the exit status of wrong usage, and of nothing usable


def build_parser() -> argparse.ArgumentParser:
    """The command's grammar; its defaults are those of the stages' configurations (a test compares them)."""
    parser = _Parser(
        prog="torchfakes",
        description="Detect deepfakes: the pipeline from a data set to a verdict, and the course about it.",
        epilog="Exit status: 0 done; 1 some input could not be used, the rest is; 2 wrong usage or nothing usable.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands, in the order of the pipeline")

    _data_commands(commands)
    _train_command(commands)
    _measuring_commands(commands)
    _using_commands(commands)
    return parser


def _data_commands(commands: Any) -> None:
    """From films to crops: mini, clips, verify, extract."""
    command = _command(commands, "mini", "make Mini-FF++, a small data set in FaceForensics++'s layout")
    command.add_argument("out", type=Path, metavar="FOLDER", help="the data set's folder, such as data/mini")
    _option(command, "--identities", 32, "people in it, an even number", _positive)
    _option(command, "--size", 320, "edge of a frame, pixels", _positive)
    _option(command, "--seconds", 2.0, "mean length of a clip", float)
    _option(command, "--seed", 0, "another one gives other people", int)
    _option(command, "--workers", None, "processes (default: one a core)", _positive)

    command = _command(commands, "clips", "list a data set's videos in clips.csv, and split them")
    command.add_argument("root", type=Path, metavar="FOLDER", help="the data set; a partial download will do")
    _option(command, "--split", "official", "official, or strict: nobody, and no YouTube video, on two sides")
    _option(command, "--layout", "auto", "whose folders they are: auto, faceforensics, celeb-df or dfdc")
    _option(command, "--from-csv", None, "take the videos from a table of yours: path, label and more", Path)
    _option(command, "--out", None, "the table (default: clips.csv in FOLDER)", Path)
    command.add_argument("--methods", nargs="+", metavar="NAME", help="only these manipulations (default: all)")
    command.add_argument("--compressions", nargs="+", metavar="NAME", help="of raw, c23, c40 (default: all)")

    command = _command(commands, "verify", "open every video of a FaceForensics++ folder, and count them")
    command.add_argument("root", type=Path, metavar="FOLDER", help="the data set; its manifest.csv is written there")
    command.add_argument("--methods", nargs="+", metavar="NAME", help="only these, youtube among them (default: all)")
    command.add_argument("--compressions", nargs="+", metavar="NAME", help="of raw, c23, c40 (default: all)")
    _option(command, "--num-videos", None, "how many videos each part should have", _positive)
    command.add_argument("--complete", action="store_true", help="each part should have all its videos")
    command.add_argument("--masks", action="store_true", help="each part that has masks should have as many of them")
    command.add_argument("--delete-damaged", action="store_true", help="delete what cannot be opened")
    _option(command, "--workers", 4, "files read at once", _positive)

    command = _command(commands, "extract", "cut the faces out of the clips")
    command.add_argument("root", type=Path, metavar="FOLDER", help="the data set, with its clips.csv")
    command.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where crops and faces.csv go")
    _option(command, "--frames", 32, "frames a clip, evenly spread", int)
    _option(command, "--crop-scale", 1.3, "edge of the crop over that of the face", float)
    _option(command, "--size", 160, "edge of a stored crop, pixels", int)
    _option(command, "--min-face", 0.15, "smallest face looked for, as a share of the frame's shorter side", float)
    _option(command, "--face-pixels", 36, "frames are scaled down to show the smallest face so large", int)
    _option(command, "--min-probability", 0.9, "confidence from which on something is a face", float)
    _option(command, "--image-format", "png", "of the crops: png, jpg or webp")
    _option(command, "--quality", 95, "of jpg and webp, 1 to 100", int)
    command.add_argument(
        "--no-reuse", dest="reuse", action="store_false",
        help="find every fake's face anew, instead of taking the place of its original's",
    )  # fmt: skip
    _option(command, "--compression", None, "raw, c23 or c40 (default: c23 where there are several)")
    command.add_argument("--methods", nargs="+", metavar="NAME", help="only these manipulations (default: all)")
    _option(command, "--batch", 16, "frames looked at together", int)
    _option(command, "--workers", 1, "processes; several bring something from hundreds of clips on", _positive)
    command.add_argument("--scheduler", metavar="ADDRESS", help="work on this dask scheduler's workers instead")
    command.add_argument("--overwrite", action="store_true", help="replace crops that were cut in another way")
    _device(command)


def _train_command(commands: Any) -> None:
    """From crops to a detector."""
    command = _command(commands, "train", "fine-tune a detector; the same command again goes on or finishes")
    _faces(command)
    command.add_argument("--out", type=Path, required=True, metavar="RUN", help="the run's folder, such as runs/mini")
    _network_options(command)
    _optimisation_options(command)
    _data_options(command)
    _machine_options(command)


def _measuring_commands(commands: Any) -> None:
    """What a detector is worth: evaluate, matrix, explain."""
    command = _command(commands, "evaluate", "measure a run, and write report.html, report.json, model card")
    _run_folder(command)
    _faces(command)
    _option(command, "--split", "test", "which rows of faces.csv")
    _option(command, "--frames", None, "crops of a clip at most (default: all)", _positive)
    _option(command, "--replicates", 1000, "of the bootstrap behind the intervals", _positive)
    command.add_argument(
        "--scores", type=Path, metavar="FILE", help="a scores.csv of this run, instead of scoring again"
    )
    command.add_argument(
        "--seeds", type=Path, nargs="+", metavar="RUN", help="runs of the same recipe: their mean, too"
    )
    command.add_argument("--against", type=Path, nargs="+", metavar="RUN", help="a run, or several, to compare with")
    command.add_argument("--cross", type=Path, nargs="+", metavar="FACES.CSV", help="measure on other data sets, too")
    command.add_argument(
        "--perturb", nargs="*", metavar="NAME",
        help="measure robustness against all of, or some of, jpeg, h264, rescale, blur, noise, brightness, shift",
    )  # fmt: skip
    _option(command, "--perturb-frames", 4, "crops of a clip for that", _positive)
    _option(command, "--batch", 64, "crops at a time", _positive)
    _device(command)

    command = _command(commands, "matrix", "train on each manipulation alone, and test each on all of them")
    _faces(command)
    command.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for the runs and matrix.csv")
    _option(command, "--split", "test", "which rows of faces.csv are tested on")
    _option(command, "--frames", None, "crops of a clip at most that are tested on (default: all)", _positive)
    _network_options(command)
    _optimisation_options(command)
    _data_options(command)
    _machine_options(command)

    command = _command(commands, "explain", "show and measure what in a face the detector looks at")
    _run_folder(command)
    _faces(command)
    _option(command, "--out", None, "where pictures and tables go (default: RUN/explanations)", Path)
    _option(command, "--split", "test", "which rows of faces.csv")
    _option(command, "--limit", 24, "pictures at most, one a clip", _positive)
    _option(command, "--frames", None, "crops of a clip at most that are measured (default: all)", _positive)
    _option(command, "--layer", None, "of the network; deeper is coarser (default: repeat_2 of InceptionResnetV1)")
    _option(command, "--method", "grad-cam", "grad-cam, grad-cam++ or layer-cam")
    command.add_argument(
        "--data", type=Path, metavar="FOLDER", help="the data set, for its masks (default: above FACES)"
    )
    command.add_argument(
        "--random-labels", type=Path, metavar="RUN", help="a run of train --random-labels, as a control"
    )
    command.add_argument("--no-checks", action="store_true", help="leave out sanity checks and the other layers")
    _device(command)


def _using_commands(commands: Any) -> None:
    """What a detector is for: predict; and the course."""
    command = _command(commands, "predict", "judge photos and videos")
    _run_folder(command, writes=False)
    command.add_argument("files", nargs="+", metavar="FILE", help="photos, videos, folders of them, or patterns")
    _option(command, "--frames", 16, "frames of a video that are looked at", _positive)
    _option(command, "--csv", None, "also write the answers there, a row a file", Path)
    _option(command, "--heat-maps", None, "folder for a picture of each face with what spoke for fake", Path)
    _option(command, "--network", None, "an export that computes instead of PyTorch (.onnx, .pte)", Path)
    _option(command, "--max-megapixels", None, "larger photos are refused (default: 100)", _positive)
    _option(command, "--max-seconds", None, "longer videos are refused (default: none are)", _positive)
    _device(command)

    _export_command(commands)
    _hub_commands(commands)
    _app_commands(commands)

    command = _command(commands, "course", "run every notebook and write a page for each")
    command.add_argument("names", nargs="*", metavar="NAME", help="only these, such as 03 (default: all)")
    _option(command, "--notebooks", Path("notebooks"), "the notebooks' folder", Path)
    _option(command, "--out", Path("build/course"), "where pages and report.json go", Path)


def _export_command(commands: Any) -> None:
    """Off to other runtimes: export."""
    command = _command(commands, "export", "write a run's best detector for other runtimes, and check it")
    _run_folder(command)
    _option(command, "--format", "onnx", "onnx, executorch (phones) or web (a page that judges in the browser)")
    command.add_argument(
        "--precision", dest="precisions", nargs="+", default=["fp32", "int8"], metavar="NAME",
        help="fp32, int8 (default: both)",
    )  # fmt: skip
    _option(command, "--faces", None, "the faces.csv of the run (default: looked for near it)", Path)
    _option(command, "--out", None, "the folder (default: RUN/export/FORMAT)", Path)
    _option(command, "--threads", 1, "that compute a crop while times are taken", _positive)


def _hub_commands(commands: Any) -> None:
    """To the Hugging Face Hub and back: push, pull."""
    name = {"metavar": "OWNER/NAME", "help": "the repository on the Hugging Face Hub"}
    command = _command(commands, "push", "publish a run's best detector, its model card and report on the Hub")
    _run_folder(command, writes=False)
    command.add_argument("name", **name)
    command.add_argument("--public", action="store_true", help="for everybody; otherwise only its owner sees it")
    _option(command, "--revision", None, "the branch to write to (default: the main one)")
    _option(command, "--message", None, "of the commit (default: which weights they are)")

    command = _command(commands, "pull", "fetch a detector from the Hub, and check it")
    command.add_argument("name", **name)
    _option(command, "--revision", None, "a branch, a tag or a commit (default: the main branch)")
    _option(command, "--out", None, "folder for a copy (default: only in the Hub's cache)", Path)


def _app_commands(commands: Any) -> None:
    """For people who have no terminal: app, space."""
    command = _command(commands, "app", "serve a page on which photos and videos are judged")
    _run_folder(command, writes=False)
    _option(command, "--host", "127.0.0.1", "address it listens at; 0.0.0.0 is open to the network")
    _option(command, "--port", None, "port (default: the first free one from 7860 on)", _positive)
    command.add_argument("--share", action="store_true", help="also at a public address, through gradio.live")
    command.add_argument("--browser", action="store_true", help="open the page")
    _option(command, "--frames", 16, "frames of a video that are looked at", _positive)
    _option(command, "--max-megabytes", 200, "larger files are refused", float)
    _option(command, "--max-seconds", 300, "longer videos are refused", float)
    _option(command, "--max-megapixels", 100, "larger photos are refused", float)
    _option(command, "--max-gigabytes", 4, "all uploads that wait, together; more are asked to come again", float)
    _option(command, "--queue", 64, "files that may wait; more are asked to come again", _positive)
    _option(command, "--examples", None, "Mini-FF++, to show clips of (default: data/mini, where it is)", Path)
    _device(command)

    command = _command(commands, "space", "make a folder for Hugging Face Spaces: the app with its detector")
    _run_folder(command, writes=False)
    _option(command, "--out", Path("build/space"), "the folder", Path)
    _option(command, "--data", None, "Mini-FF++, for the examples (default: data/mini, or a small one made now)", Path)


def _network_options(command: argparse.ArgumentParser) -> None:
    _option(command, "--architecture", "InceptionResnetV1", "InceptionResnetV1, Meso4, MesoInception4 or timm:NAME")
    _option(
        command, "--pretrained", "default",
        "weights to start from: vggface2, casia-webface, timm or none; default is the usual ones of the architecture",
    )  # fmt: skip
    command.add_argument("--weights", metavar="FILE", help="the architecture's weights, instead of downloading them")
    _option(command, "--tune", "all", "what may change: all, head, norms, or a stage's name, for it and those after it")
    _option(command, "--dropout", None, "before the last layer (default: the architecture's usual)", float)
    _option(command, "--image-size", None, "edge of the network's input, pixels (default: the architecture's)", int)


def _optimisation_options(command: argparse.ArgumentParser) -> None:
    _option(command, "--epochs", 5, "passes at most", int)
    _option(command, "--batch-size", 16, "crops on the device at once, of all processes together", int)
    _option(command, "--accumulate", 1, "batches whose gradients make one step", int)
    _option(
        command, "--learning-rate", None,
        "peak of the schedule (default: 3e-4 from pretrained weights, 1e-3 else)", float, "--lr",
    )  # fmt: skip
    _option(command, "--head-learning-rate", None, "of the classifier (default: the same)", float)
    _option(command, "--weight-decay", 1e-2, "of AdamW", float)
    _option(command, "--schedule", "one-cycle", "of the learning rate: one-cycle, plateau or constant")
    _option(command, "--clip-norm", None, "shorten gradients that are longer than this", float)
    _option(command, "--average", 0.0, "moving average of the weights: share of the old one a step keeps", float)
    _option(
        command, "--patience", None,
        "epochs without a better validation AUC before it stops (default: never under one-cycle, else 5)", int,
    )  # fmt: skip
    _option(command, "--seed", 0, "of everything random", int)


def _data_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--methods", nargs="+", metavar="NAME", help="train on these manipulations only (default: all)"
    )
    _option(command, "--sampling", "paired", "paired (real and fake of the same frame), balanced or uniform")
    command.add_argument("--random-labels", action="store_true", help="a control: train on random labels")
    _option(command, "--crops-per-epoch", None, "crops in a pass (default: as many as real ones)", int)
    _option(command, "--min-sharpness", 30.0, "blurrier training crops are left out; 0 keeps all", float)
    _option(command, "--augmentation", "none", "none, mirror, first-project or modern")
    _option(command, "--val-frames-per-clip", 4, "validation crops of a clip", int)
    _option(command, "--cache", "auto", "auto keeps all crops decoded in a file beside them; off reads them each time")


def _machine_options(command: argparse.ArgumentParser) -> None:
    _option(command, "--mixed-precision", "auto", "auto, off, bf16 or fp16")
    command.add_argument("--compile", action="store_true", help="let torch.compile translate the network first")
    _option(command, "--checkpoint-minutes", 10.0, "at most so much is lost when a run is killed", float)
    _option(command, "--tracker", "auto", "auto (trackio, where installed), none, trackio, wandb or tensorboard")
    _option(command, "--log-every", 10, "steps between rows of steps.csv", int)
    _option(command, "--processes", None, "refuse to start with fewer processes than these (torchrun)", int)
    _device(command)


class _Parser(argparse.ArgumentParser):
    """Reports wrong usage in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(UNUSABLE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _command(commands: Any, name: str, summary: str) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", allow_abbrev=False
    )
    command.add_argument("--json", action="store_true", help="print results as JSON, one object a line")
    command.add_argument("--debug", action="store_true", help="on an error, show the traceback")
    return command


def _option(
    command: argparse.ArgumentParser, name: str, default: Any, text: str, kind: Callable = str, *aliases: str
) -> None:
    """An option whose default is shown, except where `text` has to explain it."""
    text = text if default is None else f"{text} (default: {default})"
    metavar = {Path: "PATH", str: "NAME"}.get(kind, "N")
    command.add_argument(name, *aliases, default=default, type=kind, metavar=metavar, help=text)


def _faces(command: argparse.ArgumentParser) -> None:
    command.add_argument("faces", type=Path, metavar="FACES.CSV", help="the table that `extract` wrote")


def _run_folder(command: argparse.ArgumentParser, writes: bool = True) -> None:
    """RUN, of a command that `writes` beside the detector or does not."""
    text = "the folder that `train` wrote, or hf://owner/name[@revision] on the Hugging Face Hub"
    command.add_argument("run_folder", type=_run, metavar="RUN", help=text)
    command.set_defaults(writes=writes)


def _run(text: str) -> Path | str:
    """A path, or an address, which stays a text: a path would lose one of its slashes."""
    return text if text.startswith("hf://") else Path(text)


def _device(command: argparse.ArgumentParser) -> None:
    _option(command, "--device", "auto", "auto, cpu, cuda, …")


def _positive(text: str) -> int:
    number = int(text) if text.lstrip("+-").isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"give a whole number above 0, not {text!r}")
    return number
