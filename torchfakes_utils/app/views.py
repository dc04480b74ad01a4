"""What the app shows, as pictures and HTML: pure functions of a file that was examined, which know nothing of Gradio.

Everything is inside the HTML, pictures too, so that nothing of an upload is ever written to a file. Real is blue, fake
vermilion, and what cannot be told grey; since colour alone tells not everybody, each has a mark, a word and a line.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from torchfakes_utils.app.config import AppLimits
from torchfakes_utils.app.pictures import COLOURS, SMALL, Box, boxed, data_url
from torchfakes_utils.explanation.heat_maps import overlay
from torchfakes_utils.inference.predictor import Examination
from torchfakes_utils.inference.verdict import FaceVerdict, Prediction, digits_apart, seen
from torchfakes_utils.models.decision import CANNOT_TELL, FAKE, REAL, Decision
from torchfakes_utils.report.contents import Report
from torchfakes_utils.report.text import interval

_TEMPLATES = Path(__file__).parent / "templates"

MARKS = {FAKE: "✕", REAL: "●", CANNOT_TELL: "?"}
HEADINGS = {FAKE: "Probably fake", REAL: "Probably real", CANNOT_TELL: "Cannot tell"}
# The curve's picture: its size and its margins, left, top, right, bottom; SVG units.
_WIDTH, _HEIGHT, _MARGINS = 440, 206, (38, 14, 18, 40)

# Filled by the page's own script: what is wrong with a file that is not sent at all; what screen readers are told.
PROBLEM = '<div class="tf-problem" role="alert"></div><div class="tf-said" role="status"></div>'
BUSY = "it was not judged: too many files are waiting. Try again in a minute"
CAUTION = (
    "<p>A heat map shows which places of the crop raised P(fake) at one layer of the network. It does not show where a "
    "forgery is, and it does not prove the verdict: it is as bright where the network is wrong.</p>"
)
FORGOTTEN = "<p>This face is no longer in memory: give the file again.</p>"

# By what a face lacks: what helps.
_HELP = {
    "cut off": "Use a picture that shows the whole face.",
    "too small": "Use a picture taken from nearer, or the original instead of a scaled-down copy.",
    "too dark": "Use a picture with more light on the face.",
    "too bright": "Use a picture in which the face is not overexposed.",
    "too little contrast": "Use a picture with clearer light on the face.",
    "too much contrast": "Use a picture with softer light on the face.",
    "too blurred": "Use a sharper picture: the original rather than a copy, and without motion blur.",
    "too noisy": "Use a picture with more light, less noise, and no sharpening filter.",
    "no face found": "Use a picture in which a face looks towards the camera and takes up a good part of the frame.",
}


def score(value: float) -> str:
    """P(fake) with two digits; never 1.00 and never 0.00, for no detector is that sure."""
    return "above 0.99" if value > 0.995 else "below 0.01" if value < 0.005 else f"{value:.2f}"


def sentence(verdict: Prediction | FaceVerdict, threshold: float) -> str:
    """The score with its uncertainty, such as "P(fake) 0.83, 95 % interval over frames 0.71 to 0.92; …"."""
    if verdict.probability_fake is None:
        return ""
    over = ""
    if verdict.interval is not None:
        over = f", 95 % interval over frames {' to '.join(map(score, verdict.interval))}"
    digits = digits_apart(verdict.probability_fake, threshold)
    value = score(verdict.probability_fake) if digits == 2 else f"{verdict.probability_fake:.{digits}f}"
    return f"P(fake) {value}{over}; called fake from {threshold:.{digits}f} on"


def doubt(prediction: Prediction, threshold: float) -> str:
    """What else the reader of a verdict has to know, or ""."""
    if prediction.verdict == CANNOT_TELL:
        return next((help_ for lack, help_ in _HELP.items() if lack in prediction.reason), "")
    if prediction.interval is not None and prediction.interval[0] < threshold <= prediction.interval[1]:
        return "A close call: the interval reaches across the threshold."
    return ""


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
            for which, frame in (("highest", usable[-1]), ("lowest", usable[0])):
                value, when = score(frame.probability_fake), f"{frame.time:.2f} s (frame {frame.frame})"
                found.append((frame.frame, f"Face {face.face + 1} at its {which}: P(fake) {value} at {when}"))
    return found


def curve(prediction: Prediction, threshold: float, duration: float) -> dict[str, Any] | None:
    """The scores over `duration` seconds as the coordinates of a drawing; None where there are not two frames.

    Returns:
        In SVG units: the drawing's size, the axes' ends, `threshold` (y), `ticks` and `levels` (position, text), and
        `lines`, one for each face: its number, verdict and colour, its `dots` (x, y, whether they count), the `path`
        through those that count, and its `last` dot.
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
        "threshold": place(0, threshold)[1], "ticks": ticks, "levels": levels, "lines": lines,
    }  # fmt: skip


def result(examined: Examination, threshold: float, name: str) -> str:
    """What is shown of a file that could be opened, and that its owner knows by this name, as HTML."""
    prediction = examined.prediction
    frame = shown_frame(prediction)
    frame = int(examined.media.indices[0]) if frame is None else frame
    boxes = boxes_in(prediction, frame)
    who = ", ".join(f"face {box.number} {box.verdict}" for box in boxes) or "no face found"
    moving = prediction.kind != "photo"
    when = examined.media.times[examined.media.indices.tolist().index(frame)]
    return _render(
        "result",
        prediction=prediction,
        name=name,
        moving=moving,
        sentence=sentence(prediction, threshold),
        doubt=doubt(prediction, threshold),
        threshold=threshold,
        picture=data_url(boxed(examined.picture(frame), boxes)),
        alt=f"{name}: " + (f"frame {frame}, at {when:.2f} s; " if moving else "") + who,
        caption=f"Frame {frame}, at {when:.2f} s of {examined.media.duration:.2f} s." if moving else "",
        faces=[(face, sentence(face, threshold)) for face in prediction.faces],
        curve=curve(prediction, threshold, examined.media.duration) if moving else None,
        peaks=[
            (data_url(boxed(examined.picture(peak), boxes_in(prediction, peak), SMALL)), what)
            for peak, what in (peaks(prediction) if moving else [])
        ],
    )


def refusal(reason: str, name: str) -> str:
    """What is shown of a file that could not be opened: the reason, where the verdict would be."""
    return _render("result", prediction=Prediction(name, CANNOT_TELL, None, reason), name=name, doubt="", sentence="")


def heat_map(crop: np.ndarray, heat: np.ndarray, face: int, layer: str, method: str) -> str:
    """A crop (S, S, 3), uint8 RGB, of a face (from 1) beside itself under its heat map (s, s), in [0, 1], as HTML."""
    pictures = {"crop": data_url(crop), "heat": data_url(overlay(crop, heat)), "dark": not float(heat.max())}
    return _render("heat", face=face, layer=layer, method=method, **pictures)


def about(report: Report | None, decision: Decision, limits: AppLimits, shared: bool = False) -> str:
    """What this can and cannot tell, with what was measured of this very detector, as HTML; see `page.build`."""
    return _render("about", report=report, decision=decision, limits=limits, shared=shared, interval=interval)


def head(decision: Decision) -> str:
    """The page's heading, with what is known against the detector."""
    return _render("head", decision=decision)


def empty(kind: str) -> str:
    """Where the verdict will be."""
    return _render("empty", kind=kind)


def style() -> str:
    """The page's style sheet."""
    return (_TEMPLATES / "app.css").read_text(encoding="utf-8")


def script(limits: AppLimits) -> str:
    """What the page does by itself in the browser."""
    text = (_TEMPLATES / "app.js").read_text(encoding="utf-8")
    return text.replace("__MOST_BYTES__", str(limits.media.bytes))


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
    environment.filters |= {"sentence": _sentence, "seen": seen}
    environment.globals |= {"COLOURS": COLOURS, "MARKS": MARKS, "HEADINGS": HEADINGS}
    return environment


def _sentence(text: str) -> str:
    """A reason as a sentence of its own."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
