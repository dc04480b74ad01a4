"""What the app shows, as pictures and HTML: pure functions of a file that was examined, which know nothing of Gradio.

Everything is inside the HTML, pictures too, so that nothing of an upload is ever written to a file. Real is blue, fake
vermilion, and what cannot be told grey; since colour alone tells not everybody, each has a mark, a word and a line.
"""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from torchfakes_utils.app.config import AppLimits
from torchfakes_utils.app.pictures import COLOURS, SMALL, Box, boxed, data_url
from torchfakes_utils.audio.judging import VoiceVerdict
from torchfakes_utils.explanation.heat_maps import overlay
from torchfakes_utils.inference.predictor import Examination
from torchfakes_utils.inference.verdict import FaceVerdict, Prediction, digits_apart, seen
from torchfakes_utils.language import ENGLISH, current, mark, tr
from torchfakes_utils.models.decision import CANNOT_TELL, FAKE, REAL, Decision
from torchfakes_utils.report import text
from torchfakes_utils.report.contents import Report

_TEMPLATES = Path(__file__).parent / "templates"

MARKS = {FAKE: "✕", REAL: "●", CANNOT_TELL: "?"}
HEADINGS = {FAKE: mark("Probably fake"), REAL: mark("Probably real"), CANNOT_TELL: mark("Cannot tell")}
# The same in the middle of a sentence.
_VERDICTS = {FAKE: mark("fake"), REAL: mark("real"), CANNOT_TELL: mark("cannot tell")}
# The curve's picture: its size and its margins, left, top, right, bottom; SVG units.
_WIDTH, _HEIGHT, _MARGINS = 440, 220, (38, 22, 18, 40)
# The height of a line of text in it; and what of the scale's width anything takes that is to be seen, per cent.
_LINE, _LEAST_PART = 16, 2.0

# Filled by the page's own script: what is wrong with a file that is not sent at all; what screen readers are told.
PROBLEM = '<div class="tf-problem" role="alert"></div><div class="tf-said" role="status"></div>'
BUSY = mark("it was not judged: too many files are waiting. Try again in a minute")
_CAUTION = mark(
    "A heat map shows which places of the crop raised P(fake) at one layer of the network. It does not show where a "
    "forgery is, and it does not prove the verdict: it is as bright where the network is wrong."
)
# Of a face that was judged, whose score says nothing.
BETWEEN = mark(
    "Its score lies where neither rate of errors could be kept in validation. The original file, a longer film or a "
    "sharper picture may say more."
)
_FORGOTTEN = mark("This face is no longer in memory: give the file again.")

_TOO_LARGE = mark(
    "{name}: {size}, and {most} are the most that is accepted. Give a smaller file, or a part of it."
)  # filled in by the page's own script
_HIGHEST = mark("Face {face} at its highest: P(fake) {value} at {time:.2f} s (frame {frame})")
_LOWEST = mark("Face {face} at its lowest: P(fake) {value} at {time:.2f} s (frame {frame})")

# By what a face lacks: what helps.
_HELP = {
    "cut off": mark("Use a picture that shows the whole face."),
    "too small": mark("Use a picture taken from nearer, or the original instead of a scaled-down copy."),
    "too dark": mark("Use a picture with more light on the face."),
    "too bright": mark("Use a picture in which the face is not overexposed."),
    "too little contrast": mark("Use a picture with clearer light on the face."),
    "too much contrast": mark("Use a picture with softer light on the face."),
    "too blurred": mark("Use a sharper picture: the original rather than a copy, and without motion blur."),
    "too noisy": mark("Use a picture with more light, less noise, and no sharpening filter."),
    "a practice detector": mark(
        "It has learned from practice data that shows no real person, and can say nothing of people: take a detector "
        "that was trained on data of people."
    ),
    "unlike the faces of its training": mark(
        "The network has seen no such face in training: a drawing, a mask, a filter, or a camera of another kind. Use "
        "the original picture; if it is, this detector was not made for such."
    ),
    "no face found": mark(
        "Use a picture in which a face looks towards the camera and takes up a good part of the frame."
    ),
}


def score(value: float, digits: int = 2) -> str:
    """P(fake) with so many digits; never 1.00 and never 0.00, for no detector is that sure."""
    least = 10.0**-digits
    if value > 1 - least / 2:
        return tr("above {limit}", limit=f"{1 - least:.{digits}f}")
    return tr("below {limit}", limit=f"{least:.{digits}f}") if value < least / 2 else f"{value:.{digits}f}"


# Up to where somebody is called real, and from where on fake; None where nothing is.
_Limits = tuple[float | None, float | None]


def sentence(prediction: Prediction) -> str:
    """The score of a file with its uncertainty and its limits, such as "P(fake) 0.83, 95 % interval over frames …"."""
    return _scored(prediction, prediction.limits)


def face_sentence(face: FaceVerdict, decision: Decision) -> str:
    """The same of one face by itself; why it was not judged, where it was not."""
    band = decision.band(_usable(face))
    return _scored(face, (band.real_to, band.from_of() if band.fake_from else None)) or face.reason


def _scored(one: Prediction | FaceVerdict, limits: _Limits) -> str:
    value = one.probability_fake
    if value is None:
        return ""
    if limits == (None, None):  # no verdict is ever given, and the reason says why
        return one.reason
    over = ""
    if one.interval is not None:
        ends = dict.fromkeys(map(score, one.interval))
        over = tr(", 95 % interval over frames {ends}", ends=tr(" to ").join(ends))
    real, fake = limit_words(value, limits)
    shown = score(value, _digits(value, limits))
    return tr("P(fake) {shown}{over}; called {fake}, {real}", shown=shown, over=over, fake=fake, real=real)


def limit_words(value: float, limits: _Limits) -> tuple[str, str]:
    """Up to where a face is called real, and from where on fake, with as many digits as tell its score from both."""
    digits, (real_to, fake_from) = _digits(value, limits), limits
    real = tr("real never") if real_to is None else tr("real up to {limit}", limit=f"{real_to:.{digits}f}")
    if fake_from is None:
        return real, tr("fake never")
    return real, tr("fake from {limit} on", limit=f"{fake_from:.{digits}f}")


def _digits(value: float, limits: _Limits) -> int:
    """So many that a score is seen to lie on its side of each limit, and no limit is seen as 0 or 1, which none is."""
    ends = [end for end in limits if end is not None]
    least = next((digits for digits in (2, 3, 4) if all(0 < round(end, digits) < 1 for end in ends)), 5)
    return max(least, digits_apart(value, *ends))


def _usable(face: FaceVerdict) -> int:
    return sum(not frame.cannot_tell for frame in face.frames)


def scale(prediction: Prediction) -> dict[str, Any]:
    """The score between 0 and 1, and what is said where, as the parts of a drawing, in per cent of its width.

    Returns:
        `point`; `real` and `fake`, the widths of what is called so, 0 where nothing is; `interval` (left, width) or
        None; `words` for both zones.
    """
    real_to, fake_from = prediction.limits
    ends = prediction.interval
    return {
        "point": _part(prediction.probability_fake or 0.0),
        "real": 0 if real_to is None else max(_part(real_to), _LEAST_PART),
        "fake": 0 if fake_from is None else max(_part(1 - fake_from), _LEAST_PART),
        "interval": None if ends is None else (_part(ends[0]), _part(ends[1] - ends[0])),
        "words": limit_words(prediction.probability_fake or 0.0, prediction.limits),
    }


def _part(share: float) -> float:
    return round(100 * share, 1)


def doubt(prediction: Prediction) -> str:
    """What else the reader of a verdict has to know, or ""."""
    real_to, fake_from = prediction.limits
    if prediction.verdict == CANNOT_TELL:
        lacking = next((help_ for lack, help_ in _HELP.items() if lack in prediction.reason), "")
        return tr(lacking or ("" if prediction.limits == (None, None) else BETWEEN))
    if prediction.interval is None:
        return ""
    low, high = prediction.interval
    crossed = (fake_from is not None and low < fake_from) if prediction.verdict == FAKE else (
        real_to is not None and high > real_to
    )  # fmt: skip
    return tr("A close call: the interval reaches across the limit.") if crossed else ""


def why_higher(prediction: Prediction, decision: Decision) -> str:
    """Why a file of several faces is called fake from farther up than one of them; "" where it is not."""
    judged = [face for face in prediction.faces if face.probability_fake is not None]
    worst, fake_from = prediction.deciding, prediction.limits[1]
    if worst is None or fake_from is None or len(judged) < 2:
        return ""
    alone = decision.band(_usable(worst)).from_of()
    if not alone < fake_from:
        return ""
    digits = _digits(alone, (None, fake_from))
    return tr(
        "The file is called fake from {all} on, where one face alone is from {alone} on: each of {count} faces is "
        "another chance of a false alarm, which all of them together may cause no more often than one.",
        all=f"{fake_from:.{digits}f}",
        alone=f"{alone:.{digits}f}",
        count=len(judged),
    )


def shown_frame(prediction: Prediction) -> int | None:
    """The frame that says most: where the most fake-looking face looks most so; None where no face was found."""
    frames = [frame for face in prediction.faces for frame in face.frames]
    if prediction.deciding is not None:
        frames = [frame for frame in prediction.deciding.frames if not frame.cannot_tell]
    return max(frames, key=lambda frame: frame.probability_fake).frame if frames else None


def boxes_in(prediction: Prediction, frame: int) -> list[Box]:
    """Everybody who was judged in a frame."""
    judged = ((face, one) for face in prediction.faces for one in face.frames)
    return [Box(face.face + 1, one.box, face.verdict) for face, one in judged if one.frame == frame]


def peaks(prediction: Prediction) -> list[tuple[int, str]]:
    """Frames in which the first three faces that were judged scored their highest and their lowest; what each shows."""
    found = []
    for face in [face for face in prediction.faces if face.probability_fake is not None][:3]:
        usable = [frame for frame in face.frames if not frame.cannot_tell]
        usable.sort(key=lambda frame: frame.probability_fake)
        if len(usable) > 1:
            for text_of, frame in ((_HIGHEST, usable[-1]), (_LOWEST, usable[0])):
                value = score(frame.probability_fake)
                said = tr(text_of, face=face.face + 1, value=value, time=frame.time, frame=frame.frame)
                found.append((frame.frame, said))
    return found


def curve(prediction: Prediction, duration: float) -> dict[str, Any] | None:
    """The scores over `duration` seconds as the coordinates of a drawing; None where there are not two frames.

    Returns:
        In SVG units: the drawing's size, the axes' ends, `limits` (see `_limit_lines`), `ticks` and `levels` (position,
        text), and `lines`, one for each face: its number, verdict and colour, its `dots` (x, y, whether they count),
        the `path` through those that count, and its `last` dot.
    """
    if len({frame.frame for face in prediction.faces for frame in face.frames}) < 2:
        return None
    left, top, right, bottom = _MARGINS
    end = max(duration, *(frame.time for face in prediction.faces for frame in face.frames), 1e-6)

    def place(time: float, value: float) -> tuple[float, float]:
        x = left + (_WIDTH - left - right) * time / end
        return round(x, 1), round(top + (_HEIGHT - top - bottom) * (1 - value), 1)

    lines = []
    for face in prediction.faces:
        dots = [(*place(frame.time, frame.probability_fake), not frame.cannot_tell) for frame in face.frames]
        counted = [f"{x},{y}" for x, y, counts in dots if counts]
        lines.append({
            "number": face.face + 1, "verdict": face.verdict, "colour": COLOURS[face.verdict], "dots": dots,
            "path": " ".join(counted), "last": dots[-1][:2],
        })  # fmt: skip
    unit = 10.0 ** np.floor(np.log10(end / 7))
    step = next(times * unit for times in (1, 2, 5, 10) if end / (times * unit) <= 7)
    ticks = [(place(at, 0)[0], f"{at:g}") for at in np.arange(0, end + 1e-9, step).round(6).tolist()]
    levels = [(place(0, value)[1], f"{value:g}") for value in (0, 0.5, 1)]
    return {
        "width": _WIDTH, "height": _HEIGHT, "left": left, "right": _WIDTH - right, "bottom": _HEIGHT - bottom,
        "limits": _limit_lines(prediction, lambda value: place(0, value)[1]), "ticks": ticks, "levels": levels,
        "lines": lines,
    }  # fmt: skip


def _limit_lines(prediction: Prediction, height: Callable[[float], float]) -> list[dict[str, Any]]:
    """Both limits of a file, as far as there are: `y`, `colour`, the zone (`top`, `height`), and where its `text` is.

    The words stand within their zone, on the left, where it has room for them; else beyond the line, on the right, so
    that they keep apart.
    """
    (real_to, fake_from), value = prediction.limits, prediction.probability_fake or 0.0
    real, fake = limit_words(value, prediction.limits)
    found = []
    if fake_from is not None:
        y, top = height(fake_from), height(1)
        inside = y - top > _LINE
        words = _words(tr("called {what}", what=fake), y - 4 if inside else y + _LINE - 3, inside)
        found.append({"y": y, "colour": COLOURS[FAKE], "top": top, "height": round(y - top, 1), **words})
    if real_to is not None:
        y, bottom = height(real_to), height(0)
        inside = bottom - y > _LINE
        words = _words(tr("called {what}", what=real), y + _LINE - 3 if inside else y - 4, inside)
        found.append({"y": y, "colour": COLOURS[REAL], "top": y, "height": round(bottom - y, 1), **words})
    return found


def _words(text: str, y: float, on_the_left: bool) -> dict[str, Any]:
    left, _, right, _ = _MARGINS
    x, anchor = (left + 4, "start") if on_the_left else (_WIDTH - right - 4, "end")
    return {"text": text, "text_y": y, "x": x, "anchor": anchor}


def result(examined: Examination, decision: Decision, name: str) -> str:
    """What is shown of a file that could be opened, and that its owner knows by this name, as HTML."""
    prediction = examined.prediction
    frame = shown_frame(prediction)
    frame = int(examined.media.indices[0]) if frame is None else frame
    boxes = boxes_in(prediction, frame)
    each = (tr("face {number} {verdict}", number=box.number, verdict=tr(_VERDICTS[box.verdict])) for box in boxes)
    who = ", ".join(each) or tr("no face found")
    moving = prediction.kind != "photo"
    when = examined.media.times[examined.media.indices.tolist().index(frame)]
    return _render(
        "result",
        prediction=prediction,
        name=name,
        moving=moving,
        sentence=sentence(prediction),
        scale=scale(prediction),
        doubt=doubt(prediction),
        higher=why_higher(prediction, decision),
        picture=data_url(boxed(examined.picture(frame), boxes)),
        alt=f"{name}: " + (tr("frame {frame}, at {when:.2f} s; ", frame=frame, when=when) if moving else "") + who,
        caption=tr(
            "Frame {frame}, at {when:.2f} s of {end:.2f} s.", frame=frame, when=when, end=examined.media.duration
        )
        if moving
        else "",
        faces=[(face, face_sentence(face, decision)) for face in prediction.faces],
        curve=curve(prediction, examined.media.duration) if moving else None,
        peaks=[
            (data_url(boxed(examined.picture(peak), boxes_in(prediction, peak), SMALL)), what)
            for peak, what in (peaks(prediction) if moving else [])
        ],
    )


def refusal(reason: str, name: str) -> str:
    """What is shown of a file that could not be opened: the reason, where the verdict would be."""
    return _render("result", prediction=Prediction(name, CANNOT_TELL, None, reason), name=name, doubt="", sentence="")


def voice(heard: VoiceVerdict) -> str:
    """What is said of the voice, as HTML: beside the verdict on the faces, and never mixed with it."""
    return _render("voice", heard=heard, score="" if heard.probability_fake is None else score(heard.probability_fake))


def heat_map(crop: np.ndarray, heat: np.ndarray, face: int, layer: str, method: str) -> str:
    """A crop (S, S, 3), uint8 RGB, of a face (from 1) beside itself under its heat map (s, s), in [0, 1], as HTML."""
    pictures = {"crop": data_url(crop), "heat": data_url(overlay(crop, heat)), "dark": not float(heat.max())}
    return _render("heat", face=face, layer=layer, method=method, **pictures)


def about(report: Report | None, decision: Decision, limits: AppLimits, shared: bool = False) -> str:
    """What this can and cannot tell, with what was measured of this very detector, as HTML; see `page.build`."""
    return _render("about", report=report, decision=decision, limits=limits, shared=shared, text=text)


def head(decision: Decision) -> str:
    """The page's heading, with what is known against the detector."""
    return _render("head", decision=decision)


def empty(kind: str) -> str:
    """Where the verdict will be."""
    return _render("empty", kind=kind)


def caution() -> str:
    """What a heat map is worth, above it, as HTML."""
    return f"<p>{tr(_CAUTION)}</p>"


def forgotten() -> str:
    """What is shown of a face that was asked for too late, as HTML."""
    return f"<p>{tr(_FORGOTTEN)}</p>"


def style() -> str:
    """The page's style sheet."""
    return (_TEMPLATES / "app.css").read_text(encoding="utf-8")


def script(limits: AppLimits) -> str:
    """What the page does by itself in the browser."""
    source = (_TEMPLATES / "app.js").read_text(encoding="utf-8")
    language = "en-GB" if current() == ENGLISH else current()
    for place, said in (("__TOO_LARGE__", json.dumps(tr(_TOO_LARGE))), ("__LANGUAGE__", json.dumps(language))):
        source = source.replace(place, said)
    return source.replace("__MOST_BYTES__", str(limits.media.bytes))


def inline_scripts(limits: AppLimits) -> tuple[str, ...]:
    """The texts of those scripts in `script`, by which a browser knows that they may run."""
    return tuple(re.findall(r"<script>(.*?)</script>", script(limits), re.DOTALL))


def _render(part: str, **words: Any) -> str:
    html: str = _environment().get_template(f"app_{part}.html").render(words)
    return html


@cache
def _environment() -> Any:
    import jinja2

    loader = jinja2.FileSystemLoader(_TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"sentence": text.sentence, "seen": seen}
    environment.globals |= {"COLOURS": COLOURS, "MARKS": MARKS, "HEADINGS": HEADINGS, "_": tr}
    return environment
