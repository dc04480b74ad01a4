"""The app as people and programs meet it: a process of its own, Gradio's client, a real browser, and nothing left."""

import base64
import contextlib
import http.client
import io
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from torchfakes_utils.app import server
from torchfakes_utils.app.config import AppConfig, AppLimits
from torchfakes_utils.cli import main
from torchfakes_utils.errors import InputError
from torchfakes_utils.inference.predictor import Examination, Predictor
from torchfakes_utils.inference.verdict import Prediction
from torchfakes_utils.io.media import Media
from torchfakes_utils.io.video import write_video
from torchfakes_utils.models.decision import FAKE
from torchfakes_utils.models.detector import DetectorConfig, save
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.app import client, started
from helpers.decisions import answering
from helpers.detectors import opinionated

pytestmark = pytest.mark.slow

LIMITS = ["--max-megabytes", "8", "--max-seconds", "5", "--max-megapixels", "60", "--queue", "40", "--frames", "6"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A detector that knows nothing, calls everything fake, and does not answer in the dark."""
    torch.manual_seed(0)
    detector = opinionated(DetectorConfig(pretrained=None, preprocessing=Preprocessing(size=80, crop_size=80)))
    detector.decision = answering(0.05, ranges={"brightness": (40.0, None)})
    return save(detector, tmp_path_factory.mktemp("run") / "best").parent


@pytest.fixture(scope="module")
def files(tmp_path_factory, portraits, tiny_ffpp):
    """What people upload."""
    folder = tmp_path_factory.mktemp("uploads")
    files = SimpleNamespace(folder=folder)

    def put(name, content):
        path = folder / name
        path.write_bytes(content) if isinstance(content, bytes) else Image.fromarray(content).save(path)
        setattr(files, name.partition(".")[0].replace("-", "_"), path)

    put("photo.png", portraits[0])
    put("two.png", np.concatenate([portraits[0], portraits[1]], axis=1))
    put("dark.png", (portraits[0] * 0.2).astype(np.uint8))
    put("nobody.png", np.full((200, 200, 3), 120, np.uint8))
    put("text.mp4", b"this is no film")
    put("empty.jpg", b"")
    put("cut.png", (folder / "photo.png").read_bytes()[:4000])
    put("large.bin", os.urandom(9_000_000))
    huge = Image.fromarray(portraits[0]).resize((7100, 7100))
    huge.save(folder / "huge.jpg", quality=60)
    Image.fromarray(portraits[0]).resize((8000, 8000)).save(folder / "too-huge.jpg", quality=60)
    frames = [Image.fromarray(np.roll(portraits[0], 3 * step, axis=1)) for step in range(5)]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:], duration=100)
    clip = tiny_ffpp / "original_sequences/youtube/c23/videos/004.mp4"
    shutil.copyfile(clip, folder / "clip.mp4")
    write_video(folder / "long.mp4", [portraits[0]] * 14, fps=2, preset="ultrafast")
    for name in ("huge.jpg", "too-huge.jpg", "moving.gif", "clip.mp4", "long.mp4"):
        setattr(files, name.partition(".")[0].replace("-", "_"), folder / name)
    assert all(path.stat().st_size < 8_000_000 for path in (files.huge, files.too_huge))
    return files


@pytest.fixture(scope="module")
def examples(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("examples")
    listed = []
    for kind, source in (("photo", files.photo), ("video", files.clip)):
        shutil.copyfile(source, folder / source.name)
        shutil.copyfile(files.photo, folder / f"{kind}-small.png")
        listed.append({"kind": kind, "label": f"A {kind}", "file": source.name, "thumbnail": f"{kind}-small.png"})
    (folder / "examples.json").write_text(json.dumps(listed))
    return folder


def command(*words):
    return [sys.executable, "-m", "torchfakes_utils", "app", *map(str, words)]


@pytest.fixture(scope="module")
def served(run, examples, tmp_path_factory):
    with started(command(run, "--json", "--examples", examples, *LIMITS), tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture(scope="module")
def ask(served):
    from gradio_client import handle_file

    connection = client(served.url)

    def ask(endpoint, path, *words):
        return connection.predict(handle_file(str(path)), *words, api_name=f"/{endpoint}")

    ask.connection = connection
    return ask


@pytest.fixture(scope="module")
def predictor(run):
    return Predictor.from_run(run, "cpu")


def left(served):
    """Files below the app's folder for temporary files but examples, the icon, and what torch 2.9 leaves."""
    shown = {"photo.png", "clip.mp4", "photo-small.png", "video-small.png", "favicon.png"}
    found = [path for path in served.temporary.rglob("*") if path.is_file()]
    found = [path for path in found if path.name != "_remote_module_non_scriptable.py"]
    assert shown == {path.name for path in found if (path.parent / "favicon.png").is_file()}
    return [path for path in found if not (path.parent / "favicon.png").is_file()]


# For programs


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [("judge_photo", "photo"), ("judge_photo", "two"), ("judge_video", "clip"), ("judge_video", "moving")],
)
def test_endpoints_answer_as_predict_does(served, ask, files, predictor, endpoint, name):
    path = getattr(files, name)
    answer = ask(endpoint, path, *([8] if endpoint == "judge_video" else []))
    expected = predictor.predict(path, 8).to_json()
    assert answer.pop("file") == path.name and expected.pop("path") == str(path)
    expected = json.loads(json.dumps(expected))
    assert answer.keys() == expected.keys()
    assert answer["verdict"] == expected["verdict"] == FAKE and answer["kind"] == expected["kind"]
    assert len(answer["faces"]) == len(expected["faces"]) == (2 if name == "two" else 1)
    for mine, other in zip(answer["faces"], expected["faces"], strict=True):
        assert mine["probability_fake"] == pytest.approx(other["probability_fake"], abs=1e-4)
        assert [frame["frame"] for frame in mine["frames"]] == [frame["frame"] for frame in other["frames"]]
    assert left(served) == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("text", "neither a photo nor a video"),
        ("empty", "empty"),
        ("cut", "cut off or damaged"),
        ("nobody", "no face found"),
        ("dark", "too dark"),
        ("too_huge", "60 megapixels are the most"),
        ("long", "5 s are the most"),
    ],
)
def test_what_cannot_be_judged_says_why_and_keeps_nothing(served, ask, files, name, words):
    answer = ask("judge_photo", getattr(files, name))
    assert answer["verdict"] == "cannot tell" and words in answer["reason"]
    assert str(served.temporary) not in json.dumps(answer) and left(served) == []


def test_fifty_megapixels_are_judged(ask, files):
    assert ask("judge_photo", files.huge)["verdict"] == FAKE


def test_files_that_are_too_large_are_refused_at_the_door(served, ask, files):
    with pytest.raises(Exception, match="413|exceed"):
        ask("judge_photo", files.large)
    assert left(served) == []


def png(url):
    assert url.startswith("data:image/png;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))


def test_a_heat_map_by_endpoint(served, ask, files, predictor):
    answer = ask("heat_map", files.two, 2, "layer-cam", "repeat_1")
    assert (answer["face"], answer["method"], answer["layer"]) == (2, "layer-cam", "repeat_1")
    heat, overlay = png(answer["heat"]), png(answer["overlay"])
    assert overlay.shape == (80, 80, 3)
    crop = predictor.examine(files.two).crops[1, 0]
    expected = predictor.heat_map(crop, "repeat_1", "layer-cam")
    assert heat.shape == expected.shape
    assert heat / 255 == pytest.approx(expected, abs=0.05)
    assert ask("heat_map", files.clip)["layer"] == "repeat_2", "the usual one, of a video too"
    assert ask("heat_map", files.two)["face"] == predictor.predict(files.two).deciding.face + 1 and not answer["notes"]
    assert left(served) == []


@pytest.mark.parametrize(
    ("name", "words", "message"),
    [
        ("photo", (7,), "no face 7"),
        ("dark", (1,), "no face 1 that was judged; those that were: none"),
        ("dark", (), "no face that was judged; those that were: none"),
        ("photo", (1, "magic"), "choose one of grad-cam"),
        ("photo", (1, "grad-cam", "conv9"), "no layer 'conv9'"),
        ("text", (1,), "text.mp4: neither"),
    ],
)
def test_heat_maps_that_cannot_be_made_say_why(served, ask, files, name, words, message):
    with pytest.raises(Exception, match=message):
        ask("heat_map", getattr(files, name), *words)
    assert left(served) == []


@pytest.mark.parametrize("frames", [0, -1, 65, "many"])
def test_a_video_is_looked_at_in_one_frame_to_sixty_four(served, ask, files, frames):
    with pytest.raises(Exception, match=f"frames {frames!r}: give 1 to 64"):
        ask("judge_video", files.clip, frames)
    assert left(served) == []


def test_endpoints_are_documented(ask):
    named = ask.connection.view_api(return_format="dict")["named_endpoints"]
    assert set(named) == {"/judge_photo", "/judge_video", "/heat_map"}, "and the page's own events are not offered"
    names = {key: [parameter["parameter_name"] for parameter in one["parameters"]] for key, one in named.items()}
    assert names["/judge_video"] == ["video", "frames"] and names["/heat_map"] == ["file", "face", "method", "layer"]
    assert "torchfakes predict --json" in named["/judge_photo"]["description"]
    for key, one in named.items():
        assert all(f"{name}: " in one["description"] for name in names[key]), "every parameter has its words"


def test_twenty_at_once_with_the_same_file_are_all_answered(served, files):
    from gradio_client import handle_file

    clients = [client(served.url) for _ in range(20)]
    before = time.monotonic()

    def visit(one):
        return one.predict(handle_file(str(files.photo)), api_name="/judge_photo")

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(visit, clients))
    assert [answer["verdict"] for answer in answers] == [FAKE] * 20
    assert len({answer["probability_fake"] for answer in answers}) == 1
    assert left(served) == []
    assert time.monotonic() - before < 300


def fetch(url, asked=None):
    """The status and the body of an answer."""
    body = None if asked is None else json.dumps(asked).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def uploaded(url, path, name):
    """Where the app has put an upload that nobody asks about yet."""
    head = f'--XyZ\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
    body, form = head + path.read_bytes() + b"\r\n--XyZ--", {"Content-Type": "multipart/form-data; boundary=XyZ"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}gradio_api/upload", body, form), timeout=60) as reply:
        return json.load(reply)[0]


@pytest.mark.parametrize("given", [["grandmother.png"], [{"url": "grandmother.png"}], []])
def test_what_is_sent_in_a_wrong_form_is_not_repeated_on_the_console(served, given):
    before = served.said.read_text().count("unexpected")
    status, body = fetch(f"{served.url}gradio_api/call/heat_map", {"data": given})
    assert status == 200
    assert b"error" in fetch(f"{served.url}gradio_api/call/heat_map/{json.loads(body)['event_id']}")[1]
    said = served.said.read_text()
    assert said.count("unexpected") == before + 1 and "grandmother" not in said and "Traceback" not in said


def test_only_uploads_are_judged(served, run, files):
    """A client of one's own making, which names files of this machine, sees and destroys nothing."""
    secret = files.folder / "secret.png"
    shutil.copyfile(files.photo, secret)
    inside = next(served.temporary.rglob("clip.mp4"))
    for path in (secret, inside, run / "best" / "detector.json"):
        asked = {"data": [{"path": str(path), "meta": {"_type": "gradio.FileData"}}]}
        status, body = fetch(f"{served.url}gradio_api/call/judge_photo", asked)
        if status == 200:
            told = fetch(f"{served.url}gradio_api/call/judge_photo/{json.loads(body)['event_id']}")[1].decode()
            assert "event: error" in told and "verdict" not in told
        assert path.is_file()
        status, _ = fetch(f"{served.url}gradio_api/file={path}")
        assert status in (403, 404) or path == inside  # the examples are for everybody


def test_it_listens_to_this_machine_alone(served):
    process = psutil.Process(served.process.pid)
    every = [one for member in (process, *process.children(recursive=True)) for one in member.net_connections("inet")]
    listening = {one.laddr.ip for one in every if one.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}
    assert not [one for one in every if one.raddr and one.raddr.ip != "127.0.0.1"], "and it calls nobody"


# For people


@pytest.fixture
def visit(chromium, served):
    """Opens the page in a window of its own; at the end, nothing may have gone elsewhere or wrong."""
    contexts, asked, problems = [], [], []

    def visit(url=served.url, **options):
        context = chromium().new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.set_default_timeout(60_000)
        page.goto(url)
        page.wait_for_selector(".tf-empty:visible")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not problems
    assert not [url for url in asked if not url.startswith((served.url, "data:", "blob:", "http://127.0.0.1:"))]


def give(page, path):
    page.locator("[role=tabpanel]:visible input[type=file]").set_input_files(path)


def answer_of(page):
    page.wait_for_selector(".tf-verdict:visible")
    return page.locator(".tf-result:visible")


def no_sideways(page):
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.browser
def test_a_photo_in_the_browser(served, visit, files):
    page = visit()
    assert page.title() == "TorchFakes: real or fake?" and page.locator("html").get_attribute("lang") == "en-GB"
    assert page.locator("h1").count() == 1
    assert "What this can and cannot tell" in page.text_content("body")
    assert "Nobody has measured this detector yet" in page.text_content("body")
    icon = next(served.temporary.rglob("favicon.png")).read_bytes()
    assert fetch(f"{served.url}favicon.ico") == (200, icon)
    give(page, files.two)
    result = answer_of(page)
    assert "Probably fake" in result.text_content() and "P(fake)" in result.text_content()
    assert "Face 2: probably fake" in result.text_content()
    picture = result.locator("img")
    assert picture.get_attribute("alt") == "two.png: face 1 fake, face 2 fake"
    assert picture.evaluate("image => image.complete && image.naturalWidth") == 384
    said = page.locator("[role=tabpanel]:visible [role=status].tf-said")
    assert said.text_content().startswith("Probably fake. P(fake)"), "screen readers are told"
    assert page.get_by_text("Drop File Here").first.is_visible(), "and the next one may come"
    assert left(served) == []


@pytest.mark.browser
def test_a_heat_map_by_keyboard_alone(visit, files, predictor):
    page = visit()
    give(page, files.two)
    answer_of(page)
    page.get_by_text("does not prove the verdict").locator("visible=true").wait_for()
    deciding = predictor.predict(files.two).deciding.face + 1
    page.wait_for_selector(f"[data-testid='{deciding}-radio-label'].selected:visible")
    other = 3 - deciding
    page.get_by_role("radio", name=str(deciding), exact=True).first.focus()
    page.keyboard.press("Tab" if other > deciding else "Shift+Tab")
    page.keyboard.press("Space")
    page.wait_for_selector(f"[data-testid='{other}-radio-label'].selected:visible")
    button = page.get_by_role("button", name="Draw the heat map").first
    for _ in range(12):
        page.keyboard.press("Tab")
        if button.evaluate("button => button === document.activeElement"):
            break
    page.keyboard.press("Enter")
    page.wait_for_selector(".tf-heat:visible")
    shown = page.locator(".tf-heat:visible img")
    assert shown.count() == 2 and f"face {other}" in shown.nth(1).get_attribute("alt")
    assert shown.nth(1).evaluate("image => image.naturalWidth") == 80


@pytest.mark.browser
def test_a_clip_in_the_browser(served, visit, files):
    page = visit()
    page.get_by_role("tab", name="Photo").focus()
    page.keyboard.press("Tab")
    page.get_by_role("tab", name="Video").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".tf-empty:has-text('Give a video'):visible")
    give(page, files.clip)
    result = answer_of(page)
    assert "95 % interval over frames" in result.text_content()
    assert result.locator("svg path").count() == 6, "a cross for each frame"
    assert result.locator(".tf-peaks img").count() == 2
    result.get_by_text("The numbers").click()
    assert result.locator("tbody tr").count() == 6
    scores = [float(cell) for cell in result.locator("tbody td:nth-child(4)").all_text_contents()]
    captions = result.locator(".tf-peaks figcaption").all_text_contents()
    assert f"P(fake) {max(scores):.2f}" in captions[0] and f"P(fake) {min(scores):.2f}" in captions[1]
    assert left(served) == []


@pytest.mark.browser
def test_bad_files_are_answered_on_the_page(served, visit, files):
    page = visit()
    give(page, files.text)
    assert "Neither a photo nor a video" in answer_of(page).text_content()
    assert page.get_by_text("Where did it look?").first.is_hidden()
    give(page, files.large)
    problem = page.locator("[role=tabpanel]:visible [role=alert].tf-problem")
    problem.get_by_text("large.bin: 9.0 MB, and 8.0 MB are the most").wait_for()
    give(page, files.huge)
    page.wait_for_selector(".tf-name:has-text('huge.jpg'):visible")
    assert "Probably fake" in answer_of(page).text_content() and not problem.text_content()
    assert max(answer_of(page).locator("img").first.evaluate("one => [one.naturalWidth, one.naturalHeight]")) == 1200
    assert left(served) == []


@pytest.mark.browser
def test_an_example_is_a_click_away(visit):
    page = visit()
    page.get_by_role("button", name="A photo").click()
    assert "Example: A photo" in answer_of(page).text_content()
    page.get_by_role("tab", name="Video").click()
    page.get_by_role("button", name="A video").click()
    page.wait_for_selector(".tf-curve:visible")


def contrast(page, selector):
    """Of a text's colour against the page behind it (WCAG 2.2, relative luminance)."""
    script = """selector => {
        const probe = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
        const levels = colour => { probe.clearRect(0, 0, 1, 1); probe.fillStyle = colour; probe.fillRect(0, 0, 1, 1);
                                   return [...probe.getImageData(0, 0, 1, 1).data]; };
        const one = document.querySelector(selector);
        let behind = one, stack = [];
        while (behind) { stack.push(levels(getComputedStyle(behind).backgroundColor)); behind = behind.parentElement; }
        return [levels(getComputedStyle(one).color), stack];
    }"""
    colour, stack = page.evaluate(script, selector)
    behind = np.array([255.0, 255, 255])
    for *levels, alpha in reversed(stack):
        behind = behind + (np.array(levels) - behind) * alpha / 255
    colour = behind + (np.array(colour[:3]) - behind) * colour[3] / 255

    def luminance(levels):
        linear = np.where(levels / 255 <= 0.04045, levels / 255 / 12.92, ((levels / 255 + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    high, low = sorted([luminance(colour), luminance(behind)], reverse=True)
    return (high + 0.05) / (low + 0.05), luminance(behind)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read_in_the_light_and_in_the_dark(visit, files, scheme):
    page = visit(color_scheme=scheme)
    page.get_by_role("tab", name="Video").click()
    give(page, files.clip)
    answer_of(page)
    for selector in (".tf-head h1", ".tf-result h2", ".tf-score", ".tf-name", ".tf-ends span", ".tf-rate",
                     ".tf-verdict .tf-scope", ".tf-head .tf-scope", ".tf-about td", ".tf-about li",
                     ".tf-curve figcaption", ".tf-peaks figcaption", ".tf-empty"):  # fmt: skip
        ratio, behind = contrast(page, selector)
        assert ratio >= 4.5, f"{selector}: {ratio:.1f}"
        assert (behind < 0.1) == (scheme == "dark")


@pytest.mark.browser
def test_a_phone_shows_it_all_without_scrolling_sideways(visit, files):
    page = visit(viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    assert no_sideways(page)
    give(page, files.two)
    answer_of(page)
    page.get_by_role("button", name="Draw the heat map").first.click()
    page.wait_for_selector(".tf-heat:visible")
    assert no_sideways(page)
    page.get_by_role("tab", name="Video").click()
    give(page, files.clip)
    page.wait_for_selector(".tf-curve:visible")
    page.get_by_text("The numbers").click()
    assert no_sideways(page)


@pytest.mark.browser
def test_pictures_have_texts_and_fields_have_names(visit, files):
    page = visit()
    give(page, files.two)
    answer_of(page)
    page.get_by_role("button", name="Draw the heat map").first.click()
    page.wait_for_selector(".tf-heat:visible")
    for picture in page.locator("img:visible").all():
        assert picture.get_attribute("alt")
    unnamed = page.evaluate("""() => [...document.querySelectorAll("button, input, select, [role=tab]")]
        .filter(one => one.offsetParent && one.type !== "file" && !one.labels?.length)
        .filter(one => !(one.textContent.trim() || one.ariaLabel || one.title || one.getAttribute("aria-labelledby")))
        .map(one => one.outerHTML.slice(0, 200))""")
    assert not unnamed
    headings = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map(one => +one.tagName[1])")
    assert headings[0] == 1 and all(after - before <= 1 for before, after in itertools.pairwise(headings))


# Alone in this process


class Slow:
    """A predictor that answers when it is told to."""

    def __init__(self, predictor):
        self.detector = predictor.detector
        self.go_on, self.busy, self.fail = threading.Event(), threading.Event(), False

    def examine(self, source, frames=1):
        self.busy.set()
        assert self.go_on.wait(60)
        if self.fail:
            raise RuntimeError(f"nobody foresaw {source}")
        picture = np.zeros((20, 20, 3), np.uint8)
        media = Media("x", "photo", np.zeros(1, int), np.zeros(1), [picture])
        return Examination(Prediction("x", "cannot tell", None, "no face found"), media, {})

    def heat_map(self, crop, layer=None, method=""):
        return np.zeros((20, 20), np.float32)


@pytest.fixture
def slow(predictor, examples):
    slow = Slow(predictor)
    slow.go_on.set()
    with server.Served(slow, AppConfig(examples=examples, limits=AppLimits(queue=1))) as served:
        slow.url, slow.uploads = served.url, served.uploads
        yield slow
        slow.go_on.set()


@pytest.mark.browser
def test_a_full_queue_and_what_nobody_foresaw_are_said_on_the_page(slow, visit, files, capfd, caplog):
    slow.go_on.clear()
    slow.busy.clear()
    first, second, third = (visit(slow.url) for _ in range(3))
    first.get_by_role("button", name="A photo").click()
    assert slow.busy.wait(60)
    second.get_by_role("button", name="A photo").click()
    second.wait_for_selector("text=queue: 1/1")
    third.get_by_role("button", name="A photo").click()
    assert "too many files are waiting" in answer_of(third).text_content()
    slow.go_on.set()
    for page in (first, second):
        assert "No face found" in answer_of(page).text_content()
    slow.fail = True
    give(first, files.photo)
    first.wait_for_selector(".tf-score:has-text('omething went wrong that should not')")
    said = capfd.readouterr().err
    assert "nobody foresaw" not in said and files.photo.name not in said, "the log names no file"
    assert "unexpected RuntimeError at test_server.py" in caplog.text and files.photo.name not in caplog.text
    assert not [path for path in slow.uploads.folder.rglob("*") if path.is_file()]


@pytest.mark.browser
def test_no_room_for_another_upload_is_said_on_the_page_and_to_programs(predictor, visit, files):
    from gradio_client import handle_file

    with server.Served(predictor, AppConfig(limits=AppLimits(megabytes=8, gigabytes=0.008))) as served:
        waiting = served.uploads.folder / "somebody" / "clip.mp4"
        waiting.parent.mkdir()
        waiting.write_bytes(bytes(7_999_000))
        page = visit(served.url)
        give(page, files.photo)
        page.get_by_text("too many uploads are waiting here now; come again later").wait_for()
        with pytest.raises(Exception, match="503"):
            client(served.url).predict(handle_file(str(files.photo)), api_name="/judge_photo")
        waiting.unlink()
        give(page, files.photo)
        assert files.photo.name in answer_of(page).text_content()
        assert not [path for path in served.uploads.folder.rglob("*") if path.is_file()]


@pytest.mark.browser
def test_visitors_are_forgotten(predictor, visit, files, monkeypatch):
    before = os.environ.get("GRADIO_TEMP_DIR")
    with server.Served(predictor, AppConfig()) as served:
        page = visit(served.url)
        give(page, files.photo)
        answer_of(page)
        visitors = served._page.state_holder.session_data
        kept = [config for one in visitors.values() for config in one.config_values.values() if config]
        assert "data:image/jpeg" in repr(kept), "Gradio keeps the answer, or this test looks in the wrong place"
        served.tidy()
        assert "data:image/jpeg" in repr(next(iter(visitors.values())).config_values), "not while it may be needed"
        monkeypatch.setattr(server, "REMEMBERED", 0)
        served.tidy()
        assert not visitors
        page.get_by_role("button", name="Draw the heat map").first.click()
        page.get_by_text("no longer in memory").wait_for()
    assert os.environ.get("GRADIO_TEMP_DIR") == before and not served.uploads.folder.exists()


def test_answers_that_nobody_fetches_are_forgotten_too(predictor, files, monkeypatch):
    with server.Served(predictor, AppConfig()) as served:
        path = uploaded(served.url, files.photo, "grandmother.png")
        asked = {"data": [{"path": path, "orig_name": "grandmother.png", "meta": {"_type": "gradio.FileData"}}]}
        assert fetch(f"{served.url}gradio_api/call/judge_photo", asked)[0] == 200
        queue = served._page._queue

        def kept():
            waiting = [message for one in queue.pending_messages_per_session.values() for message in one._queue]
            return repr(waiting) + repr(served._page.upload_file_set)

        deadline = time.monotonic() + 60
        while "probability_fake" not in kept() and time.monotonic() < deadline:
            time.sleep(0.1)
        served.tidy()
        assert "grandmother" in kept() and "probability_fake" in kept(), "not while it may be fetched"
        monkeypatch.setattr(server, "REMEMBERED", 0)
        served.tidy()
        assert "grandmother" not in kept() and not queue.pending_event_ids_session


def test_only_who_has_the_password_comes_in(predictor, files, tmp_path, caplog):
    from gradio_client import Client, handle_file

    (tmp_path / "users.txt").write_text("me:secret\n")
    with server.Served(predictor, AppConfig("0.0.0.0", auth=tmp_path / "users.txt")) as served:
        for path in ("config", "gradio_api/info", "gradio_api/queue/data?session_hash=x"):
            assert fetch(f"{served.url}{path}")[0] == 401
        assert fetch(f"{served.url}gradio_api/call/judge_photo", {"data": []})[0] == 401
        assert b'"auth_required":true' in fetch(served.url)[1], "the page asks for the password"
        with pytest.raises(Exception, match="Could not login"):
            Client(served.url, auth=("me", "guess"), verbose=False)
        friend = Client(served.url, auth=("me", "secret"), verbose=False)
        assert friend.predict(handle_file(str(files.photo)), api_name="/judge_photo")["verdict"] == FAKE
    assert not caplog.text


@pytest.mark.browser
def test_the_password_is_asked_for_on_the_page(predictor, chromium, files, monkeypatch):
    monkeypatch.setenv("TORCHFAKES_AUTH", "me:secret")
    with server.Served(predictor, AppConfig()) as served, contextlib.closing(chromium().new_page()) as page:
        page.goto(served.url)
        for password in ("guess", "secret"):
            page.wait_for_selector("input[type=password]", timeout=60_000)
            page.get_by_label("username").fill("me")
            page.get_by_label("password").fill(password)
            page.get_by_role("button", name="Login").click()
            if password == "guess":
                page.get_by_text("Incorrect").wait_for()
        page.wait_for_selector(".tf-empty:visible", timeout=60_000)
        give(page, files.photo)
        assert "Probably fake" in answer_of(page).text_content()


def test_an_app_for_everybody_says_so_in_a_line(predictor, caplog):
    with server.Served(predictor, AppConfig("0.0.0.0")):
        pass
    (record,) = caplog.records
    assert "whoever reaches this app may use it; --auth" in record.getMessage() and "\n" not in record.getMessage()


@pytest.mark.browser
def test_a_name_that_is_a_script_does_not_run_and_the_page_breaks_none_of_its_own_rules(visit, files):
    name = "x<img src=x onerror=document.title='pwned'><script>document.title='pwned'<\u2215script>.png"
    hostile = files.folder / name
    shutil.copyfile(files.two, hostile)
    page = visit()
    said = []
    page.on("console", lambda message: said.append(message.text))
    give(page, hostile)
    answer_of(page)
    page.evaluate("document.querySelector('.tf-answer').innerHTML += '<img src=data:,x onerror=\"document.title=1\">'")
    page.get_by_role("button", name="Draw the heat map").first.click()
    page.wait_for_selector(".tf-heat:visible")
    assert page.title() == "TorchFakes: real or fake?"
    blocked = [text for text in said if "Content Security Policy" in text]
    assert len(blocked) == 1 and "inline event handler" in blocked[0], "the handler that was put in here"
    hostile.unlink()


def test_an_upload_goes_when_the_terminal_is_closed(run, files, tmp_path):
    words = command(run, "--json", "--frames", "2")
    with started(words, tmp_path) as hung_up:
        uploaded(hung_up.url, files.photo, "photo.png")
        assert list(hung_up.temporary.rglob("photo.png"))
        hung_up.process.send_signal(signal.SIGHUP)
        assert hung_up.process.wait(60) == 0
    assert list(hung_up.temporary.iterdir()) == []


def test_one_address_leaves_places_to_others(predictor, examples):
    slow = Slow(predictor)
    slow.go_on.set()
    with server.Served(slow, AppConfig(examples=examples, limits=AppLimits(queue=4))) as served:
        slow.go_on.clear()
        slow.busy.clear()

        def status(source):
            port = int(served.url.rstrip("/").rpartition(":")[2])
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60, source_address=(source, 0))
            file = {"path": str(served.uploads.folder / "a" / "b.jpg"), "meta": {"_type": "gradio.FileData"}}
            connection.request("POST", "/gradio_api/call/judge_photo", json.dumps({"data": [file]}),
                               {"Content-Type": "application/json"})  # fmt: skip
            return connection.getresponse().status

        # An example goes first, for it takes time; an upload that is none would be answered at once.
        click = next(key for key, one in served._page.fns.items() if one.targets and one.targets[0][1] == "click")
        asked = {"data": [], "fn_index": click, "session_hash": "me"}
        assert fetch(f"{served.url}gradio_api/queue/join", asked)[0] == 200
        assert slow.busy.wait(60)
        assert [status("127.0.0.2") for _ in range(4)] == [200, 200, 503, 503]
        assert [status("127.0.0.3") for _ in range(3)] == [200, 200, 503]
        slow.go_on.set()


# From the command line


def said_by(words, **options):
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, **options)
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_the_options_are_the_app_s_own(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # where no data/mini is
    asked = []
    monkeypatch.setattr(server, "serve_run", lambda *words: asked.append(words[:3]))
    assert main.main(["app", "runs/x"]) == 0
    words = ["--host", "0.0.0.0", "--port", "8000", "--share", "--browser", "--frames", "9", "--max-megabytes", "1.5",
             "--max-seconds", "2", "--max-megapixels", "3", "--queue", "4", "--max-gigabytes", "5", "--examples", "x",
             "--device", "cpu", "--max-files", "6", "--places", "7", "--auth", "users.txt", "--proxied",
             "--hosts", "fakes.example,*.example.org"]  # fmt: skip
    assert main.main(["app", "runs/x", *words]) == 0
    limits = AppLimits(megabytes=1.5, seconds=2, megapixels=3, queue=4, gigabytes=5, files=6, places=7)
    hosts = ("fakes.example", "*.example.org")
    full = AppConfig(
        "0.0.0.0", 8000, True, True, 9, limits, examples=Path("x"), auth=Path("users.txt"), hosts=hosts, proxied=True
    )
    assert asked == [(Path("runs/x"), AppConfig(), "auto"), (Path("runs/x"), full, "cpu")]


def test_a_taken_port_is_one_line(run):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        status, said = said_by(command(run, "--port", port))
    assert status == 2
    assert said == f"torchfakes: port {port} is taken; choose another one with --port, or stop what uses it\n"


def test_a_missing_gradio_is_one_line(run):
    program = ("import sys; sys.modules['gradio'] = None; from torchfakes_utils.cli.main import main; "
               f"sys.exit(main(['app', {str(run)!r}]))")  # fmt: skip
    status, said = said_by([sys.executable, "-c", program])
    assert status == 2 and said.count("\n") == 1 and "pip install 'torchfakes[app]'" in said


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("127.0.0.1", 70_000, "1 to 65535"),
        ("203.0.113.1", None, "cannot listen"),
        ("no.such.invalid", 1, "cannot listen"),
    ],
)
def test_addresses_that_are_none(host, port, words):
    with pytest.raises(InputError, match=words) as caught:
        server.check_address(host, port)
    assert "\n" not in str(caught.value)


def test_an_app_that_cannot_start_leaves_nothing(predictor, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with pytest.raises(InputError, match="no Mini-FF"):
        server.Served(predictor, AppConfig(examples=tmp_path / "nothing"))
    assert not list(tmp_path.glob("torchfakes-app-*"))


# Last, for it ends the process that the others talk to.


def test_it_said_nothing_of_anybody_and_goes_quietly(served, files):
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(60) == 0
    assert list(served.temporary.iterdir()) == [], "uploads, examples and icon are gone"
    said = served.said.read_text()
    assert not [path.name for path in files.folder.iterdir() if path.name in said and path.stem != "secret"]
