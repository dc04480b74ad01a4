"""The `torchfakes` command: the pipeline, stage by stage, for people and for machines.

Results go to standard output (one JSON object a line with --json), everything else to standard error. Exit status:
0 all done; 1 some input could not be used, and the rest is done; 2 wrong usage or nothing usable; 130 interrupted.

Only `argparse` is imported until a stage runs, so that `--help` answers at once.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torchfakes_utils.cli.output import Output, attention_lines, explain, fail, say, summary_lines, warnings_on_stderr
from torchfakes_utils.cli.parser import UNUSABLE, build_parser
from torchfakes_utils.errors import InputError
from torchfakes_utils.models import run_files

DONE, SOME_UNUSABLE, INTERRUPTED = 0, 1, 130

# Of a long list of failures only these many are named on the terminal; the table names them all.
_NAMED_FAILURES = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments after the program's name; those of the process when not given.

    Returns:
        The exit status, as above.

    Raises:
        SystemExit: after --help and --version (0), and for wrong usage (2).
    """
    parser = build_parser()
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_help(sys.stderr)
        return UNUSABLE
    output = Output(sys.stdout, args.json)
    try:
        # Whatever a stage or a library prints is a note, and may not get between the results.
        with warnings_on_stderr(args.debug), contextlib.redirect_stdout(sys.stderr):
            _fetch_run(args)
            return _COMMANDS[args.command](args, output)
    except KeyboardInterrupt:
        return fail("interrupted; the same command again goes on with what is not done yet", INTERRUPTED)
    except BrokenPipeError:
        # The reader (`| head`) has seen enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SOME_UNUSABLE
    except Exception as error:
        if args.debug:
            raise
        return fail(explain(error), UNUSABLE)


def _fetch_run(args: argparse.Namespace) -> None:
    """Where RUN is an address on the Hub, fetch it; who writes beside a detector gets a copy to write to."""
    if isinstance(getattr(args, "run_folder", None), str):
        from torchfakes_utils.hub import pull

        args.run_folder = pull.resolve(args.run_folder, pull.WORK if args.writes else None)


def _mini(args: argparse.Namespace, output: Output) -> int:
    from torchfakes_utils.datasets.mini import build

    config = _config(build.MiniConfig, args)
    path = build.build(args.out, config, workers=args.workers)
    output.record({"path": str(path), **dataclasses.asdict(config)})
    output.line(f"Mini-FF++ with {config.identities} identities is in {path}")
    return DONE


def _clips(args: argparse.Namespace, output: Output) -> int:
    from torchfakes_utils.datasets import splits
    from torchfakes_utils.io import tables

    path = _write_clips(args)
    clips = tables.read_table(path, tables.CLIP_COLUMNS)
    fake = int(clips["label"].sum())
    counts = {name: clips[name].value_counts().sort_index().to_dict() for name in ("method", "compression", "split")}
    try:
        films = splits.read_films(args.root)
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


def _write_clips(args: argparse.Namespace) -> Path:
    from torchfakes_utils.datasets import faceforensics, other_layouts

    if args.from_csv is not None:
        return other_layouts.write_from_csv(args.from_csv, args.out or args.root / "clips.csv")
    layout = other_layouts.recognise(args.root) if args.layout == "auto" else args.layout
    if layout == "faceforensics":
        return faceforensics.write_clips(args.root, args.out, args.methods, args.compressions, args.split)
    if args.methods or args.compressions:
        raise InputError(f"--methods and --compressions are for FaceForensics++; {args.root} has the layout {layout}")
    return other_layouts.write_clips(args.root, args.out, layout, args.split)


def _verify(args: argparse.Namespace, output: Output) -> int:
    from torchfakes_utils.datasets import verification

    wanted = verification.Wanted(args.methods, args.compressions, args.num_videos, args.complete, args.masks)
    found = verification.verify(args.root, wanted, args.workers, True, args.delete_damaged)
    output.record(dataclasses.asdict(found))
    output.line(f"{found.files} files, {found.bytes / 1e9:.2f} GB; their checksums are in {args.root / 'manifest.csv'}")
    for path, reason in found.damaged:
        say(f"{path}: {reason}" + ("; deleted" if args.delete_damaged else ""))
    for line in found.missing:
        say(f"missing: {line}")
    return DONE if found.whole else SOME_UNUSABLE


def _extract(args: argparse.Namespace, output: Output) -> int:
    from torchfakes_utils.faces import extraction, workers
    from torchfakes_utils.faces.config import ExtractionConfig
    from torchfakes_utils.io import tables

    report = extraction.extract(
        args.root,
        args.out,
        _config(ExtractionConfig, args),
        workers.Workers(args.workers, args.scheduler),
        True,
        args.overwrite,
    )
    output.record(dataclasses.asdict(report))
    output.line(f"{report.faces} faces from {report.clips} clips in {report.seconds:.0f} s: {args.out / 'faces.csv'}")
    if not report.failures:
        return DONE
    table = args.out / tables.FAILURES_FILE
    for row in tables.read_table(table, tables.FAILURE_COLUMNS).head(_NAMED_FAILURES).itertuples():
        say(f"{row.path}: {row.reason}")
    say(f"{report.failures} of {report.clips} clips gave no face; {table} names each, with the reason")
    return SOME_UNUSABLE if report.faces else UNUSABLE


def _train(args: argparse.Namespace, output: Output) -> int:
    from torchfakes_utils.training import config, run

    args.pretrained = None if args.pretrained == "none" else args.pretrained
    result = run.train(args.faces, args.out, _config(config.TrainingConfig, args), on_epoch=output.record)
    output.record({"best": result.best, "run": str(result.run), "note": result.note})
    output.line(f"the detector of epoch {result.best['epoch']} is in {result.run / 'best'}")
    return DONE


def _evaluate(args: argparse.Namespace, output: Output) -> int:
    from torchfakes_utils.evaluation import evaluate
    from torchfakes_utils.evaluation.config import EvaluationConfig, RobustnessConfig, Scoring
    from torchfakes_utils.report import write

    config = EvaluationConfig(
        split=args.split,
        scoring=Scoring(args.batch, args.device, args.frames, progress=True),
        replicates=args.replicates,
        scores=args.scores,
        seeds=tuple(args.seeds or ()),
        against=tuple(args.against or ()),
        cross=tuple(args.cross or ()),
        perturb=args.perturb is not None,
        robustness=RobustnessConfig(
            tuple(args.perturb) if args.perturb else None, args.perturb_frames, args.replicates
        ),
    )
    found = evaluate.evaluate(args.run_folder, args.faces, config)
    whole = write.write(args.run_folder, found, args.device)
    output.record(whole)
    for line in summary_lines(whole):
        output.line(line)
    output.line(f"the report is {args.run_folder / run_files.PAGE_FILE}")
    return SOME_UNUSABLE if found.unreadable else DONE  # which ones was said when they were met


def _matrix(args: argparse.Namespace, output: Output) -> int:
    from torchfakes_utils.evaluation import cross_manipulation
    from torchfakes_utils.evaluation.config import Scoring
    from torchfakes_utils.training import config

    args.pretrained = None if args.pretrained == "none" else args.pretrained
    found = cross_manipulation.matrix(
        args.faces,
        args.out,
        _config(config.TrainingConfig, args),
        args.split,
        Scoring(device=args.device, frames=args.frames, progress=True),
    )
    output.record(found)
    for line in cross_manipulation.lines(found):
        output.line(line)
    output.line(f"the table is {args.out / 'matrix.csv'}")
    return DONE


def _explain_command(args: argparse.Namespace, output: Output) -> int:
    from torchfakes_utils.explanation import explain
    from torchfakes_utils.explanation.config import ExplanationConfig
    from torchfakes_utils.io import tables
    from torchfakes_utils.report import write

    config = ExplanationConfig(
        split=args.split,
        limit=args.limit,
        frames=args.frames,
        layer=args.layer,
        method=args.method,
        data=args.data,
        random_labels=args.random_labels,
        checks=not args.no_checks,
        device=args.device,
        progress=True,
    )
    out = explain.explain(args.run_folder, args.faces, args.out, config)
    crops = len(tables.read_table(out / run_files.EXPLANATIONS_FILE, explain.EXPLANATION_COLUMNS))
    summary = json.loads((out / run_files.EXPLANATION_FILE).read_text(encoding="utf-8"))
    output.record(summary | {"path": str(out), "pictures": crops})
    output.line(f"{crops} overlays and their maps, and the tables of {summary['crops']} crops, are in {out}")
    for line in attention_lines(summary):
        output.line(line)
    if args.out is None and write.refresh(args.run_folder):
        output.line(f"{args.run_folder / run_files.PAGE_FILE} shows them now")
    return DONE


def _predict(args: argparse.Namespace, output: Output) -> int:
    import time

    from torchfakes_utils.cli import predict
    from torchfakes_utils.inference.predictor import Predictor
    from torchfakes_utils.io import media

    predict.check_places(args.csv, args.heat_maps)
    predictor = Predictor.from_run(args.run_folder, args.device, **_predictor_options(args))
    if args.network is not None:
        from torchfakes_utils.export import graph

        graph.check_same(predictor.network.description, predictor.detector, args.network)
    sources = [name for pattern in args.files for name in media.matching(pattern)]
    answers = predictor.predict_many(sources, args.frames)
    if args.heat_maps is not None:
        answers = predict.with_heat_maps(predictor, sources, args.frames, args.heat_maps)
    started, predictions = time.monotonic(), []
    output.line(predict.HEADER)
    try:
        for prediction in answers:
            predictions.append(prediction)
            output.record(prediction.to_json())
            output.line(predict.line(prediction))
    finally:
        if args.csv is not None:  # also of a run that was interrupted
            predict.write(predictions, args.csv)
    say(predict.throughput(predictions, time.monotonic() - started))
    unusable = sum(prediction.verdict == predict.CANNOT_TELL for prediction in predictions)
    if not unusable:
        return DONE if predictions else fail("no files there; folders are searched, hidden files are not", UNUSABLE)
    say(f"{unusable} of {len(predictions)} could not be judged")
    return UNUSABLE if unusable == len(predictions) else SOME_UNUSABLE


def _predictor_options(args: argparse.Namespace) -> dict[str, Any]:
    from torchfakes_utils.io.limits import Limits

    limits = Limits(seconds=args.max_seconds)
    if args.max_megapixels is not None:
        limits = dataclasses.replace(limits, pixels=args.max_megapixels * 1_000_000)
    if args.network is None:
        return {"limits": limits}
    from torchfakes_utils.export import exporter

    return {"limits": limits, "network": exporter.load_network(args.network)}


def _export(args: argparse.Namespace, output: Output) -> int:
    from torchfakes_utils.export import exporter, parity
    from torchfakes_utils.export.config import ExportConfig

    made = exporter.make(args.run_folder, dataclasses.replace(_config(ExportConfig, args), say=say))
    output.record({"format": args.format, "path": str(made.folder)} | made.to_json())
    for line in parity.lines(made):
        output.line(line)
    there = [one.file for one in made.files if (made.folder / one.file).is_file()]  # a page keeps the one that it loads
    output.line(f"{', '.join(there)}, the face networks and parity.md are in {made.folder}")
    if args.format == "web":
        output.line(f"to try it: python -m http.server --directory {made.folder}, then open http://localhost:8000")
    for why in made.refused.values():
        say(why)
    return SOME_UNUSABLE if made.refused else DONE


def _push(args: argparse.Namespace, output: Output) -> int:
    from torchfakes_utils.hub.push import push

    pushed = push(args.run_folder, args.name, not args.public, args.revision, args.message)
    output.record(dataclasses.asdict(pushed))
    seen = "private" if pushed.private else "public"
    output.line(f"{', '.join(pushed.files)} are at {pushed.url} ({seen})")
    output.line(f"this detector for ever: hf://{args.name}@{pushed.commit}")
    for note in pushed.notes:
        say(note)
    return DONE


def _pull(args: argparse.Namespace, output: Output) -> int:
    from torchfakes_utils.hub import pull

    cached = pull.pull(args.name, args.revision)
    folder = cached if args.out is None else pull.copy(cached, args.out)
    output.record({"name": args.name, "commit": cached.name, "folder": str(folder)})
    output.line(f"{args.name} at commit {cached.name} is in {folder}")
    return DONE


def _app(args: argparse.Namespace, output: Output) -> int:
    from torchfakes_utils.app import examples as app_examples
    from torchfakes_utils.app import server
    from torchfakes_utils.app.config import AppConfig, AppLimits

    limits = AppLimits(args.max_megabytes, args.max_seconds, args.max_megapixels, args.queue, args.max_gigabytes)
    examples = app_examples.usual_examples(args.examples)
    config = AppConfig(args.host, args.port, args.share, args.browser, args.frames, limits, examples)

    def ready(served: Any) -> None:
        if args.share and served.shared is None:
            say("gradio.live gave no public address; the app can be reached here only")
        output.record({"url": served.url, "shared": served.shared})
        output.line(f"the app answers at {served.shared or served.url} (Ctrl-C stops it)")

    server.serve_run(args.run_folder, config, args.device, ready)
    return DONE


def _space(args: argparse.Namespace, output: Output) -> int:
    from torchfakes_utils.app import space

    files = space.build(args.run_folder, args.out, args.data)
    output.record({"folder": str(args.out), "files": files})
    output.line(f"a Hugging Face Space is in {args.out}; try it: cd {args.out} && python app.py")
    return DONE


def _course(args: argparse.Namespace, output: Output) -> int:
    from torchfakes_utils.course import runner

    status = runner.run(args.notebooks, args.out, only=args.names or None)
    report = args.out / "report.json"
    if report.is_file():
        output.record(json.loads(report.read_text(encoding="utf-8")))
        output.line(f"pages and {report.name} are in {args.out}")
    return status


_COMMANDS: dict[str, Callable[[argparse.Namespace, Output], int]] = {
    "mini": _mini,
    "clips": _clips,
    "verify": _verify,
    "extract": _extract,
    "train": _train,
    "evaluate": _evaluate,
    "matrix": _matrix,
    "explain": _explain_command,
    "predict": _predict,
    "export": _export,
    "push": _push,
    "pull": _pull,
    "app": _app,
    "space": _space,
    "course": _course,
}


def _config(kind: type, args: argparse.Namespace) -> Any:
    """A stage's configuration from the options that have its fields' names."""
    values = {field.name: getattr(args, field.name) for field in dataclasses.fields(kind) if hasattr(args, field.name)}
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
