"""The app's page and its endpoints, in Gradio: what is on the page, and what happens when something is clicked."""

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torchfakes_utils.app import views
from torchfakes_utils.app.answers import Answers, Shown
from torchfakes_utils.app.config import AppLimits
from torchfakes_utils.app.examples import Example
from torchfakes_utils.errors import InputError
from torchfakes_utils.explanation.heat_maps import METHODS, usual_layer
from torchfakes_utils.language import mark, tr
from torchfakes_utils.metrics.config import FRAMES
from torchfakes_utils.report.contents import Report

# One at a time, whatever was asked: the network takes all cores anyway, and memory stays bounded.
_ALONE: dict[str, Any] = {"concurrency_id": "detector", "concurrency_limit": 1}
_INTERNAL: dict[str, Any] = {"api_visibility": "private"}

_TABS = {"photo": mark("Photo"), "video": mark("Video")}
_UPLOADS = {"photo": mark("Your photo"), "video": mark("Your video")}


def build(
    answers: Answers,
    limits: AppLimits,
    examples: Sequence[Example],
    folder: Path,
    measured: Report | None,
    shared: bool,
) -> Any:
    """The page and the endpoints, as Gradio's `Blocks`.

    Args:
        answers: what is shown.
        limits: what is said to be accepted; the queue's length.
        examples: files in `folder` to try it with.
        folder: may be read by everybody who can reach the page.
        measured: what the report of the detector's run holds; None where it was not measured.
        shared: whether uploads may come through gradio.live, which the page then says.
    """
    import gradio as gr

    with gr.Blocks(title=tr("TorchFakes: real or fake?"), analytics_enabled=False) as page:
        decision = answers.predictor.detector.decision
        gr.HTML(views.head(decision))
        for kind in ("photo", "video"):
            with gr.Tab(tr(_TABS[kind])):
                _tab(answers, kind, [one for one in examples if one.kind == kind], folder)
        gr.HTML(views.about(measured, decision, limits, shared))
        _endpoints(answers)
    return page.queue(max_size=limits.queue, api_open=False)  # nobody passes the queue by


def _tab(answers: Answers, kind: str, examples: Sequence[Example], folder: Path) -> None:
    """Upload and examples on the left, the answer on the right."""
    import gradio as gr

    detector = answers.predictor.detector
    crops = gr.State()
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            upload = gr.File(label=tr(_UPLOADS[kind]), height=180)
            with gr.Group(elem_classes="tf-examples"):
                buttons = [gr.Button(one.label, icon=folder / one.thumbnail) for one in examples]
        with gr.Column(scale=5, min_width=300):
            gr.HTML(views.PROBLEM)
            result = gr.HTML(views.empty(kind), elem_classes="tf-answer")
            with gr.Accordion(tr("Where did it look?"), visible=False) as explanation:
                gr.HTML(views.caution())
                with gr.Row():
                    face = gr.Radio([1], value=1, label=tr("Face"), min_width=110)
                    method = gr.Radio(list(METHODS), value=METHODS[0], label=tr("Method"), min_width=280)
                    layers, usual = list(detector.feature_layers), usual_layer(detector)
                    layer = gr.Dropdown(layers, value=usual, label=tr("Layer, fine to coarse"), min_width=140)
                draw = gr.Button(tr("Draw the heat map"))
                heat_map = gr.HTML()

    def show(answer: Callable[[Any], Shown], asked: Any) -> tuple[Any, ...]:
        html, found = answer(asked)
        faces = gr.update(choices=sorted(found) or [1], value=next(iter(found), 1))
        # The upload's field is emptied: its file is deleted, and the next one can come.
        return None, html, found, gr.update(visible=bool(found)), faces, ""

    outputs = [upload, result, crops, explanation, face, heat_map]
    shown: dict[str, Any] = {"outputs": outputs, "show_progress_on": result, **_ALONE, **_INTERNAL}
    events = [upload.upload(functools.partial(show, answers.show), upload, preprocess=False, **shown)]
    for example, button in zip(examples, buttons, strict=True):
        path, name = folder / example.file, tr("Example: {label}", label=example.label)
        events.append(button.click(functools.partial(show, functools.partial(answers.show_file, path), name), **shown))
    for event in events:  # the queue is full
        busy = functools.partial(show, lambda text: (views.refusal(text, ""), {}), tr(views.BUSY))
        event.failure(busy, None, outputs, queue=False, **_INTERNAL)
    draw.click(answers.explain, [crops, face, method, layer], heat_map, **_ALONE, **_INTERNAL)


def _endpoints(answers: Answers) -> None:
    """What programs may call; `gradio_client` shows these texts."""
    from gradio import FileData
    from gradio.events import api

    def judge_photo(photo: FileData) -> dict[str, Any]:
        """Judge a photo. The answer is what `torchfakes predict --json` prints, but for `file`, which is `path` there.

        Args:
            photo: a photo; with gradio_client, handle_file("photo.jpg").
        """
        return _answered(answers.judge, photo)

    def judge_video(video: FileData, frames: int = FRAMES) -> dict[str, Any]:
        """Judge a video or an animation. The answer is like that of judge_photo.

        Args:
            video: a video; with gradio_client, handle_file("clip.mp4").
            frames: how many of it are looked at, evenly spread; 1 to 64.
        """
        return _answered(answers.judge, video, frames)

    def heat_map(file: FileData, face: int = 0, method: str = METHODS[0], layer: str = "") -> dict[str, Any]:
        """Show what in a face pointed to "fake". The answer holds two PNG pictures as data: addresses: heat, overlay.

        Args:
            file: a photo or a video; of a video, the frame in which the face looks most fake is taken.
            face: its number, from 1, the most prominent first; 0 is the most fake-looking one.
            method: grad-cam, grad-cam++ or layer-cam.
            layer: of the network; empty for the usual one.
        """
        return _answered(answers.heat_map, file, face, method, layer)

    for endpoint in (judge_photo, judge_video, heat_map):
        text = " ".join((inspect.getdoc(endpoint) or "").split())  # all of it: Gradio would leave out the parameters
        api(endpoint, api_name=endpoint.__name__, api_description=text, **_ALONE)


def _answered(answer: Callable[..., dict[str, Any]], *words: Any) -> dict[str, Any]:
    """An answer, or its refusal in the form that Gradio hands on to its clients."""
    import gradio as gr

    try:
        return answer(*words)
    except InputError as error:
        raise gr.Error(str(error), print_exception=False) from error
