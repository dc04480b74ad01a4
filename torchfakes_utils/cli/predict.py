"""Predictions for people and spreadsheets: lines on a terminal, a CSV file, pictures with heat maps."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import pandas as pd

from torchfakes_utils.cli.output import DONE, SOME_UNUSABLE, UNUSABLE, Output, say
from torchfakes_utils.errors import InputError
from torchfakes_utils.explanation import heat_maps
from torchfakes_utils.inference.predictor import Examination, Predictor
from torchfakes_utils.inference.verdict import FaceVerdict, Prediction, seen
from torchfakes_utils.io.decoding import Source
from torchfakes_utils.io.files import atomic_write
from torchfakes_utils.io.folders import Stamp, claim
from torchfakes_utils.io.media import PHOTO, VIDEO, files_in, matching
from torchfakes_utils.io.names import components
from torchfakes_utils.io.tables import check_table, write_table
from torchfakes_utils.io.text import cell, printable
from torchfakes_utils.models.decision import CANNOT_TELL, Decision

if TYPE_CHECKING:
    from torchfakes_utils.audio.judging import VoiceJudge, VoiceVerdict

HEADER = f"{'verdict':<13}{'P(fake)':<9}{'over frames':<15}file"

COLUMNS = [
    "path", "verdict", "probability_fake", "low", "high", "faces", "kind", "reason", "notes", "fake_from", "real_to",
    "rate", "scope", "meaning",
]  # fmt: skip
VOICE_COLUMNS = ["voice_verdict", "voice_probability_fake", "voice_reason", "voice_scope"]


def line(prediction: Prediction) -> str:
    """One file as a row under `HEADER`; below it why, how often such a verdict is wrong, its people, and notes.

    People are listed where there are several, each with a verdict of their own: of a photo with the middle of the face,
    in pixels; of a film with when they are seen.
    """
    people = prediction.faces if len(prediction.faces) > 1 else []
    others = f" ({len(people)} faces)" if people else ""
    rows = [f"{_columns(prediction, 13)}{printable(prediction.path)}{others}{_why_not(prediction)}"]
    if prediction.verdict != CANNOT_TELL:
        rows += [f"  {printable(text)}" for text in (prediction.reason, prediction.rate) if text]
    for face in people:
        where = ""
        if prediction.kind == PHOTO:
            left, top, right, bottom = face.frames[0].box
            where = f" (at x {(left + right) / 2:.0f}, y {(top + bottom) / 2:.0f})"
        elif face.seen:
            where = f" (seen {seen(face)})"
        rows.append(f"  {_columns(face, 11)}  face {face.face + 1}{where}{_why_not(face)}")
    # What speaks against the detector is said once, when it is loaded.
    rows += [f"  note: {printable(note)}" for note in prediction.notes if not note.startswith("caution: ")]
    return "\n".join(rows)


def about(decision: Decision) -> list[str]:
    """What has to be known of all verdicts of a detector, once: what it was trained on, and what a verdict means."""
    return [f"scope: {printable(decision.scope.line)}", f"meaning: {printable(decision.meaning)}"]


def _columns(one: Prediction | FaceVerdict, width: int) -> str:
    score = "" if one.probability_fake is None else f"{one.probability_fake:.2f}"
    interval = "" if one.interval is None else "{:.2f} to {:.2f}".format(*one.interval)
    return f"{one.verdict:<{width}}{score:<9}{interval:<15}"


def _why_not(one: Prediction | FaceVerdict) -> str:
    return f": {printable(one.reason)}" if one.verdict == CANNOT_TELL else ""


def throughput(predictions: Sequence[Prediction], seconds: float) -> str:
    """How much was judged in what time, in one line."""
    videos = sum(prediction.kind == VIDEO for prediction in predictions)
    crops = sum(len(face.frames) for prediction in predictions for face in prediction.faces)
    judged = f"{_count(len(predictions), 'file')} ({_count(videos, 'video')}), {_count(crops, 'crop')}"
    files_a_second, crops_a_second = (number / max(seconds, 1e-9) for number in (len(predictions), crops))
    return f"{judged} in {seconds:.1f} s: {files_a_second:.1f} files, {crops_a_second:.0f} crops a second"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' * (number != 1)}"


_PICTURES = Stamp("heat maps", "torchfakes predict", 1)


def check_places(table: Path | None, pictures: Path | None, heard: bool = False) -> None:
    """See before the work that its results can be written where they are wanted, and that nothing is lost there.

    Raises:
        InputError: they cannot, or somebody else's file or folder is there, be it one that is to be judged.
    """
    if table is not None:
        if table.is_dir():
            raise InputError(f"{table}: this is a folder; give --csv a file's name")
        check_table(table, [*COLUMNS, *VOICE_COLUMNS] if heard else COLUMNS)
    if pictures is not None:
        if pictures.is_file():
            raise InputError(f"{pictures}: this is a file; give --heat-maps a folder")
        claim(pictures, _PICTURES)


def write(predictions: Sequence[Prediction], path: Path | str, voices: "Sequence[VoiceVerdict]" = ()) -> Path:
    """The answers as CSV, a row a file, `COLUMNS`; in a spreadsheet, no text of it is a formula.

    Where voices were judged, too, `VOICE_COLUMNS` follow.

    Raises:
        InputError: it cannot be written.
    """
    rows = [
        [
            cell(one.path), one.verdict, one.probability_fake, *(one.interval or (None, None)), len(one.faces),
            one.kind, cell(one.reason), cell("; ".join(one.notes)), *reversed(one.limits), cell(one.rate),
            cell(one.scope), cell(one.meaning),
        ]
        for one in predictions
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=COLUMNS)
    if voices:
        heard = [[one.verdict, one.probability_fake, cell(one.reason), cell(one.scope)] for one in voices]
        table = table.iloc[: len(heard)].assign(**dict(zip(VOICE_COLUMNS, zip(*heard, strict=True), strict=True)))
    return write_table(table, path)


def voice_judge(run: Path | None, device: str) -> "VoiceJudge | None":
    """What judges voices; None where nobody asked.

    Raises:
        InputError: no voice detector in `run`.
    """
    from torchfakes_utils.audio.judging import VoiceJudge

    return None if run is None else VoiceJudge.from_run(run, device)


def voice_line(heard: "VoiceVerdict") -> str:
    """The verdict on a voice, below that on the faces of the same file."""
    score = "" if heard.probability_fake is None else f"{heard.probability_fake:.2f}"
    notes = [f"    note: {printable(note)}" for note in heard.notes]
    return "\n".join([f"  voice: {heard.verdict:<13}{score:<6}{printable(heard.reason)}", *notes])


def about_voices(voices: "Sequence[VoiceVerdict]") -> list[str]:
    """What has to be known of all verdicts on voices, once."""
    return [f"voice scope: {printable(one.scope)}\nvoice meaning: {printable(one.meaning)}" for one in voices[:1]]


def voices_alone(run: Path, patterns: Iterable[str], device: str, output: Output) -> int:
    """Judge the voices in files and nothing else, each a record; the exit status.

    Raises:
        InputError: no voice detector in `run`.
    """
    judge = voice_judge(run, device)
    judged: list[VoiceVerdict] = []
    for source, why_not in files_in(name for pattern in patterns for name in matching(pattern)):
        if judge is None or why_not:
            continue
        heard = judge.judge(source)
        judged.append(heard)
        path = heard.path.encode("utf-8", "backslashreplace").decode()
        output.record({"path": path, "voice": heard.to_json()})
        output.line(printable(heard.path), voice_line(heard))
    output.line(*about_voices(judged))
    unusable = sum(one.verdict == CANNOT_TELL for one in judged)
    if unusable:
        say(f"{unusable} of {len(judged)} got no verdict: it cannot tell")
    return UNUSABLE if unusable == len(judged) else SOME_UNUSABLE if unusable else DONE


def with_heat_maps(
    predictor: Predictor, sources: Iterable[Source], frames: int, folder: Path | str
) -> Iterator[Prediction]:
    """Judge files, and write for every face a picture: its crop where P(fake) is highest, and the heat map over it.

    The pictures are `0007-name-face1.png` of the seventh file's first face, and so on.

    Raises:
        InputError: a picture cannot be written.
    """
    for number, (source, why_not) in enumerate(files_in(sources), start=1):
        try:
            if why_not:
                raise InputError(why_not)
            examined = predictor.examine(source, frames)
        except InputError as error:
            name = str(source)
            yield Prediction(name, CANNOT_TELL, None, str(error).removeprefix(f"{name}: "))
            continue
        stem = Path(str(source)).stem[:60]
        _write_maps(predictor, examined, Path(folder) / f"{number:04d}-{components([stem])[stem]}")
        prediction = examined.prediction
        del examined  # and its pictures: there is room for those of one file
        yield prediction


def _write_maps(predictor: Predictor, examined: Examination, stem: Path) -> None:
    for face in examined.prediction.faces:
        frame = max(face.frames, key=lambda one: one.probability_fake).frame
        crop = examined.crops[face.face, frame]
        both = cv2.hconcat([crop, heat_maps.overlay(crop, predictor.heat_map(crop))])
        with atomic_write(stem.with_name(f"{stem.name}-face{face.face + 1}.png")) as temporary:
            temporary.write_bytes(cv2.imencode(".png", both[:, :, ::-1])[1].tobytes())
