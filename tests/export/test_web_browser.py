"""The page itself, driven in a browser: what it says, shows, refuses and keeps; for everybody."""

import base64
import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from torchfakes_utils.export import web_page
from torchfakes_utils.inference.predictor import Predictor

from helpers.pixels import check_measures, check_pixels
from helpers.scenes import moving
from helpers.web import (
    FP32_ONLY,
    READY,
    choose,
    judged,
    opened,
    photos,
    png,
    saved,
    until,
    until_error,
)  # fmt: skip

pytestmark = pytest.mark.browser


def test_the_page_says_what_predict_says(chromium, site, detector, portraits):
    predictor = Predictor(detector, "cpu")
    verdicts, reasons, worst = set(), set(), 0.0
    pictures = photos(portraits)
    assert len(pictures) >= 20
    with opened(chromium, site) as page:
        for name, (data, tolerance) in pictures.items():
            ours, its = json.loads(json.dumps(predictor.predict(data).to_json())), judged(page, data, "these bytes")
            assert its["verdict"] == ours["verdict"], (name, ours, its)
            assert set(its) == set(ours) and (its["path"], its["kind"]) == (ours["path"], ours["kind"]), name
            assert len(its["faces"]) == len(ours["faces"]), name
            for one, other in zip(its["faces"], ours["faces"], strict=True):
                assert one["verdict"] == other["verdict"] and set(one) == set(other), name
                assert one["face"] == other["face"] >= 1, name
                (frame,), (reference,) = one["frames"], other["frames"]
                np.testing.assert_allclose(frame["box"], reference["box"], atol=1, err_msg=name)
                assert frame["face_probability"] == pytest.approx(reference["face_probability"], abs=0.01), name
                difference = abs(frame["probability_fake"] - reference["probability_fake"])
                assert difference <= tolerance, (name, difference)
                worst = max(worst, difference)
                assert frame["distance"] == pytest.approx(reference["distance"], rel=20 * tolerance), name
                assert frame["cannot_tell"].split(" (")[0] == reference["cannot_tell"].split(" (")[0], name
                reasons.add(reference["cannot_tell"].split(" (")[0])
            for words in ("rate", "scope", "meaning", "limits"):
                assert its[words] == ours[words], name
            # The same words; the last digit of what was measured may differ.
            words = [re.sub(r"is \d\.\d\d|\w+ \d+;", "#", one["reason"]) for one in (its, ours)]
            assert words[0] == words[1], name
            verdicts.add(ours["verdict"])
    assert verdicts == {"fake", "real", "cannot tell"} and {"too small", "too dark", "too blurred"} <= reasons


def test_the_arithmetic_is_the_same_in_the_browser(chromium, site, portraits):
    with opened(chromium, site) as page:

        def run(code: str, given: object) -> object:
            return page.evaluate(
                f"(given) => {{ const load = (name) => import(`/${{name}}`); return ({code})(given); }}", given
            )

        check_pixels(run, portraits)
        check_measures(run, portraits)


def test_what_is_shown_of_a_photo(chromium, site, detector, portraits):
    """Every face with box, mark and words; the score with both thresholds; what goes with it, also when it is read."""
    decision = detector.decision
    fake_from, real_to = decision.photo.from_of(), decision.photo.real_to
    with opened(chromium, site) as page:
        assert page.locator("h1").count() == 1
        choose(page, photos(portraits)["three people"][0])
        expected = judged(page, photos(portraits)["three people"][0])
        assert page.locator("#faces > li").count() == len(expected["faces"]) == 3
        scales = page.locator(".axis").all()
        assert len(scales) == sum(face["probability_fake"] is not None for face in expected["faces"]) > 0
        for scale in scales:
            ends = f"real up to {real_to:.2f}, fake from {fake_from:.2f}"
            assert ends in scale.get_attribute("aria-label")
        headline = page.inner_text("#headline").replace("\u00a0", " ")
        for words in (expected["rate"], expected["scope"], expected["meaning"]):
            assert words and words[1:] in headline
        colours = {"fake": "rgb(213, 94, 0)", "real": "rgb(0, 114, 178)", "unknown": "rgb(107, 112, 117)"}
        kinds = {"fake": "fake", "real": "real", "cannot tell": "unknown"}
        boxes = page.locator("#boxes rect:not(.under)")
        image = page.locator("#photo").bounding_box()
        for index, face in enumerate(expected["faces"]):
            kind = kinds[face["verdict"]]
            assert boxes.nth(index).evaluate("box => getComputedStyle(box).stroke") == colours[kind]
            place, (left, top, right, bottom) = boxes.nth(index).bounding_box(), face["frames"][0]["box"]
            scale = image["width"] / 700
            wanted = [
                image["x"] + left * scale,
                image["y"] + top * scale,
                (right - left) * scale,
                (bottom - top) * scale,
            ]
            np.testing.assert_allclose([place[key] for key in ("x", "y", "width", "height")], wanted, atol=4)
            assert page.locator(f".tag.{kind} .marker").count() >= 1
        words = page.inner_text("#said").replace("\u00a0", " ")
        assert all(f"Face {number}:" in words for number in (1, 2, 3))
        assert decision.meaning[1:] in words and decision.scope.line[1:] in words
        track = page.locator(".track").first.bounding_box()
        for kind, end in (("real", real_to), ("fake", fake_from)):
            tick = page.locator(f".tick.{kind}").first.bounding_box()
            assert tick["x"] + 1 == pytest.approx(track["x"] + end * track["width"], abs=1)


def test_what_cannot_be_judged_is_said(chromium, site, portraits):
    large = saved(Image.new("1", (9000, 7000)), "PNG")
    bad = {
        "notes.txt": (b"hello", "text/plain", "not a picture"),
        "broken.png": (png(portraits[0])[:40], "image/png", "not a picture"),
        "empty.jpg": (b"", "image/jpeg", "is empty"),
        "film.mp4": (b"\0\0\0\x18ftypmp42", "video/mp4", "is a video"),
        "phone.heic": (b"\0\0\0\x18ftypheic", "image/heic", "HEIC"),
        "poster.png": (large, "image/png", f"63 megapixels, and {web_page.MOST_MEGAPIXELS} are the most"),
    }
    with opened(chromium, site, expected="404") as page:
        for name, (data, kind, message) in bad.items():
            choose(page, data, name, kind, shown=False)
            until_error(page, message)
            assert f"“{name}”" in page.inner_text("#error")
            assert page.is_visible("#choose") and page.is_hidden("#answer")
            its = judged(page, data, name, kind)
            assert its["verdict"] == "cannot tell" and message in its["reason"] and its["faces"] == []
        choose(page, photos(portraits)["nobody"][0])
        assert "No face found" in page.inner_text("#headline") and page.inner_text("#error") == ""
        assert page.evaluate("torchfakes.judge('/absent.png').then((one) => one.reason)").startswith(
            "cannot be fetched"
        )


def test_an_address_on_the_same_site_is_judged_too(chromium, site, portraits, tmp_path):
    folder = shutil.copytree(site, tmp_path / "site")
    data = photos(portraits)["large"][0]
    (folder / "large.png").write_bytes(data)
    with opened(chromium, folder, expected="Content Security Policy") as page:
        by_address, by_blob = page.evaluate("torchfakes.judge('large.png')"), judged(page, data)
        assert by_address["path"] == "large.png" and by_address["faces"] == by_blob["faces"] != []
        elsewhere = page.evaluate("torchfakes.judge('http://example.org/a.png')")
        assert "own site only" in elsewhere["reason"]


def test_an_animation_is_judged_by_its_first_picture(chromium, site, portraits):
    frames = [Image.fromarray(one) for one in moving(portraits[0], 3)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with opened(chromium, site) as page:
        assert judged(page, data, "a.gif", "image/gif")["notes"] == [
            "only the first picture of this animation is looked at"
        ]
        assert judged(page, saved(frames[0], "GIF"), "a.gif", "image/gif")["notes"] == []


@pytest.mark.parametrize("name", ["detector.fp32.onnx", "pnet.onnx", "page.json", "ort/ort-wasm-simd-threaded.wasm"])
def test_a_part_that_is_missing_is_named(chromium, site, portraits, tmp_path, name):
    folder = shutil.copytree(site, tmp_path / "site")
    (folder / name).unlink()
    with opened(chromium, folder, ready="html[data-state=failed]", expected="404") as page:
        assert f"{name} is missing" in page.inner_text("#error")
        choose(page, photos(portraits)["large"][0], shown=False)
        page.wait_for_timeout(300)
        assert f"{name} is missing" in page.inner_text("#error") and page.is_hidden("#answer")


def test_a_module_that_is_missing_does_not_leave_the_page_waiting(chromium, site, tmp_path):
    folder = shutil.copytree(site, tmp_path / "site")
    (folder / "cascade.js").unlink()
    with opened(chromium, folder, ready="html[data-state=failed]", expected="404") as page:
        assert "copy the whole folder again" in page.inner_text("#error")


@pytest.mark.parametrize(("what", "words"), [("logits", "a logit is off"), ("distances", "a distance is off")])
def test_a_browser_that_computes_something_else_is_not_trusted(chromium, site, tmp_path, what, words):
    folder = shutil.copytree(site, tmp_path / "site")
    settings = json.loads((folder / "page.json").read_text())
    settings["self_test"][what][1] += 1000
    (folder / "page.json").write_text(json.dumps(settings))
    with opened(chromium, folder, ready="html[data-state=failed]") as page:
        assert words in page.inner_text("#error") and "cannot be trusted" in page.inner_text("#error")


def test_it_works_without_a_network_once_it_was_opened(chromium, site, portraits):
    data = photos(portraits)["three people"][0]
    with opened(chromium, site) as page:
        assert "1 thread" not in page.inner_text("#state") and not page.evaluate("crossOriginIsolated")
        online = judged(page, data)
        page.wait_for_selector("html[data-offline=yes]", timeout=60_000)
        page.stop_server()
        page.context.set_offline(True)
        page.reload()
        page.wait_for_selector(READY, timeout=60_000)
        offline = judged(page, data)
        # From its own copy the page comes isolated, and computes with threads: the same to the last digits.
        assert page.evaluate("crossOriginIsolated")
        assert [one["verdict"] for one in offline["faces"]] == [one["verdict"] for one in online["faces"]]
        for one, other in zip(offline["faces"], online["faces"], strict=True):
            fakes = [face["frames"][0]["probability_fake"] for face in (one, other)]
            assert fakes[0] == pytest.approx(fakes[1], abs=1e-4)


def test_a_newer_version_is_offered_and_then_taken_whole(
    chromium, site, tmp_path, detector, package, portraits, monkeypatch
):
    monkeypatch.setenv("TORCHFAKES_CACHE", str(package.parent))
    folder = shutil.copytree(site, tmp_path / "site")
    Image.fromarray(portraits[0]).save(tmp_path / "a.png")
    with opened(chromium, folder) as page:
        page.wait_for_selector("html[data-offline=yes]", timeout=60_000)
        until(page, "navigator.serviceWorker.controller !== null")
        description = json.loads((folder / "detector.json").read_text())
        description["decision"] |= {"caution": "it is a coin"}
        description["decision"]["photo"] |= {"fake_from": [0.97] * 32}
        assert page.is_hidden("#caution") and page.is_visible("#fixed")
        (folder / "detector.json").write_text(json.dumps(description))
        web_page.write_web(folder, folder, detector, FP32_ONLY)
        page.reload()
        page.wait_for_selector(READY, timeout=60_000)
        assert "fake from 0.97" not in page.inner_text("#bands"), "half of the new version was served"
        with page.expect_navigation(timeout=60_000):
            page.click("#use-newer", timeout=60_000)
        page.wait_for_selector(READY, timeout=60_000)
        assert "In a photo: fake from 0.97 on" in page.inner_text("#bands")
        assert page.inner_text("#caution") == "Caution: it is a coin."
        page.set_input_files("#file", tmp_path / "a.png")
        page.wait_for_selector("html[data-state=shown]", timeout=60_000)
        assert "Caution: it is a coin." in page.inner_text("#headline")
        assert "Caution: it is a coin." in page.text_content("#said")
        kept = page.evaluate("caches.keys()")
        assert len(kept) == 1, "the old copy is still there"


def test_a_file_that_was_changed_on_the_way_is_not_kept(chromium, site, tmp_path):
    folder = shutil.copytree(site, tmp_path / "site")
    (folder / "style.css").write_text("body { color: red; }")
    with opened(chromium, folder) as page:
        # The registration ends with the worker whose installation has failed.
        until(page, "navigator.serviceWorker.getRegistration().then((one) => one === undefined)")
        assert page.evaluate("navigator.serviceWorker.controller") is None


_NEIGHBOUR = """async () => {
  const [name] = await caches.keys(), cache = await caches.open(name), type = { "Content-Type": "text/css" };
  await cache.put("style.css", new Response("body { color: red; }", { headers: type }));
  const served = await fetch("style.css"), kept = await cache.match("style.css");
  return [await served.text(), served.headers.get("Content-Security-Policy") !== null, await kept.text()];
}"""


def test_a_file_that_a_neighbour_has_put_into_the_cache_is_not_served(chromium, site):
    with opened(chromium, site) as page:
        page.wait_for_selector("html[data-offline=yes]", timeout=60_000)
        until(page, "navigator.serviceWorker.controller !== null")
        own = (site / "style.css").read_text()
        assert page.evaluate(_NEIGHBOUR) == [own, True, own]


CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@pytest.fixture(scope="session")
def film(tmp_path_factory, portraits) -> Path:
    """A film of a face, on the left, as Chromium takes it for a camera's."""
    path = tmp_path_factory.mktemp("camera") / "face.y4m"
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W640 H384 F10:1 Ip A1:1 C420jpeg\n")
        for picture in moving(portraits[0], 10):
            wide = np.full((384, 640, 3), 128, np.uint8)
            wide[:, :384] = cv2.resize(picture, (384, 384), interpolation=cv2.INTER_CUBIC)
            file.write(b"FRAME\n" + cv2.cvtColor(wide, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


def test_the_camera_is_judged_live_and_let_go(chromium, site, film, detector):
    with opened(chromium, site, *CAMERA, f"--use-file-for-fake-video-capture={film}") as page:
        page.click("#camera")
        page.wait_for_selector("#boxes rect", timeout=60_000, state="attached")
        # A verdict rests on more and more frames.
        until(page, "/last (1[0-6]|[4-9]) looks/.test(document.querySelector('#faces').textContent)")
        assert page.locator("#faces > li").count() == 1
        assert page.inner_text("#headline h2").strip() in ("Looks fake", "Looks real", "Cannot tell")
        assert page.locator("#video").evaluate("video => getComputedStyle(video).transform").startswith("matrix(-1")
        # The box lies over the face in the mirror, on the right.
        # Both in one moment: boxes are drawn anew several times a second.
        shown = "document.querySelector('#boxes rect:not(.under)')"
        until(page, f"{shown} !== null")
        places = f"""(() => {{ const box = {shown}?.getBoundingClientRect(); if (!box) return null;
            const video = document.querySelector('#video').getBoundingClientRect();
            return [(box.x + box.width / 2 - video.x) / video.width, box.width / video.width]; }})()"""
        middle, width = next(found for _ in range(100) if (found := page.evaluate(places)))
        assert 0.55 < middle < 0.85 and width < 0.4
        track = page.evaluate_handle("document.querySelector('#video').srcObject.getVideoTracks()[0]")
        assert track.evaluate("track => track.readyState") == "live"
        assert page.evaluate("document.activeElement.id") == "stop"
        page.keyboard.press("Enter")
        page.wait_for_selector("#choose")
        assert (
            track.evaluate("track => track.readyState") == "ended" and page.inner_text("#said") == "The camera is off."
        )
        page.wait_for_timeout(600)
        assert page.is_hidden("#answer"), "a frame that was late is shown"


@pytest.mark.parametrize(("flags", "message"), [((), "No camera was found"), (CAMERA[:1], "not allowed")])
def test_without_a_camera_it_is_said_what_to_do(chromium, site, flags, message):
    with opened(chromium, site, *flags) as page:
        page.click("#camera")
        until_error(page, message)
        assert page.is_visible("#choose")


def test_the_keyboard_is_enough(chromium, site, portraits, tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(photos(portraits)["large"][0])
    with opened(chromium, site) as page:
        page.on("filechooser", lambda chooser: chooser.set_files(path))
        reached = []
        for _ in range(3):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
            ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert ring != "none", f"{reached[-1]} does not show that it has the focus"
        assert reached == ["skip", "choose", "camera"]
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector("html[data-state=shown]", timeout=60_000)
        assert page.evaluate("document.activeElement.id") == "another"
        assert page.locator("[role=status]").text_content().startswith(("Looks", "Cannot tell"))


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_photos_can_be_pasted_and_dropped(chromium, site, portraits, way):
    data = base64.b64encode(photos(portraits)["large"][0]).decode()
    send = """({ data, way, count }) => {
      const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
      const transfer = new DataTransfer();
      for (let i = 0; i < count; i++) transfer.items.add(new File([bytes], `photo ${i}.png`, { type: "image/png" }));
      const event = way === "paste" ? new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true })
        : new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
      document.body.dispatchEvent(event);
    }"""
    with opened(chromium, site) as page:
        page.evaluate(send, {"data": data, "way": way, "count": 2})
        page.wait_for_selector("html[data-state=shown]", timeout=60_000)
        assert page.inner_text("#name") == "photo 0.png" and "Only the first of 2 files" in page.inner_text("#headline")
        page.evaluate(send, {"data": data, "way": way, "count": 0})
        until_error(page, "is not a")


def contrast(colour: str, other: str) -> float:
    """Contrast ratio of two CSS colours (WCAG 2.2)."""

    def luminance(css: str) -> float:
        levels = [float(level) / 255 for level in re.findall(r"[\d.]+", css)[:3]]
        linear = [level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in levels]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    high, low = sorted((luminance(colour), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


INK = """() => [...document.querySelectorAll("h1, h2, h3, p, li, button, .tag, .ends span, .score b, .name, .private")]
  .filter((one) => one.offsetParent && one.textContent.trim())
  .map((one) => {
    let ground = one.closest(".score") ? one.closest(".face") : one;  // a score stands above its mark
    while (ground && getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
    return [one.textContent.trim().slice(0, 40), getComputedStyle(one).color,
            ground ? getComputedStyle(ground).backgroundColor : "rgb(255, 255, 255)"];
  })"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_everybody_can_read_it(chromium, site, portraits, scheme, width):
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}, "reduced_motion": "reduce"}
    with opened(chromium, site, **options) as page:
        grounds = set()
        for name in ("", "three people", "too small", "nobody"):
            if name:
                choose(
                    page,
                    photos(portraits)[name][0],
                    f"{name} with a rather long name that says a lot and has_no_blanks.png",
                )
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
                f"scrolls sideways: {name}"
            )
            for text, colour, ground in page.evaluate(INK):
                assert contrast(colour, ground) >= 4.5, (text, colour, ground)
                grounds.add(ground)
            overlaps = page.evaluate("""() => {
              const cards = [...document.querySelectorAll(".headline, .face, .shown, .about")];
              const boxes = cards.filter((one) => one.offsetParent).map((one) => one.getBoundingClientRect());
              return boxes.some((a, i) => boxes.some((b, k) => i < k && a.left < b.right - 1 && b.left < a.right - 1 &&
                a.top < b.bottom - 1 && b.top < a.bottom - 1));
            }""")
            assert not overlaps, name
        dark = contrast(page.evaluate("getComputedStyle(document.body).backgroundColor"), "rgb(0, 0, 0)") < 1.5
        assert dark == (scheme == "dark")
        page.evaluate("document.querySelector('#busy').hidden = false")
        assert page.locator(".spinner").evaluate("one => getComputedStyle(one).animationName") == "none"
        ids = page.eval_on_selector_all("[id]", "found => found.map((one) => one.id)")
        assert len(ids) == len(set(ids))
        assert page.locator("img:not([alt]), button:not([type])").count() == 0
        names = page.eval_on_selector_all(
            "canvas, .axis", "found => found.map((one) => one.getAttribute('aria-label'))"
        )
        assert all(names)


def test_a_page_from_a_file_says_that_it_needs_a_server(chromium, site):
    page = chromium().new_page()
    page.goto((site / "index.html").as_uri())
    until(page, "getComputedStyle(document.querySelector('.late')).visibility === 'visible'")
    assert "python -m http.server" in page.inner_text(".late")
    page.close()


def test_the_gpu_is_used_only_where_it_gives_the_right_answer(chromium, site, portraits, tmp_path):
    """On Chromium's emulated GPU, which nobody would be given unasked."""
    emulated = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan",
                "--use-vulkan=swiftshader", "--ignore-gpu-blocklist")  # fmt: skip
    known = "window.torchfakes.runtime?.gpu"
    with opened(chromium, site, *emulated) as page:
        if not page.evaluate("navigator.gpu?.requestAdapter().then(Boolean) ?? false"):
            pytest.skip("this Chromium emulates no GPU")
        until(page, known)
        assert (
            page.evaluate("torchfakes.runtime").items() >= {"on": "WebAssembly", "gpu": "the GPU is emulated"}.items()
        )
        on_wasm = judged(page, photos(portraits)["three people"][0])
    with opened(chromium, site, *emulated, query="?runtime=webgpu") as page:
        until(page, known, 90)
        assert page.evaluate("torchfakes.runtime.on") == "WebGPU" and "on WebGPU" in page.inner_text("#state")
        on_gpu = judged(page, photos(portraits)["three people"][0])
    for one, other in zip(on_gpu["faces"], on_wasm["faces"], strict=True):
        fakes = [face["frames"][0]["probability_fake"] for face in (one, other)]
        assert fakes[0] == pytest.approx(fakes[1], abs=0.01)
