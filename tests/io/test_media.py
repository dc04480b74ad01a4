"""Opening what strangers send: every kind of photo and video, and everything that is none, in one line each."""

import io
import os
import zipfile
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageCms

from torchfakes_utils.errors import InputError
from torchfakes_utils.io import media, photos
from torchfakes_utils.io.limits import Limits
from torchfakes_utils.io.media import ANIMATION, PHOTO, VIDEO, files_in, matching, open_media
from torchfakes_utils.io.photos import to_rgb
from torchfakes_utils.io.video import frame_times, read_frames, spread, write_video

COLOURS = np.random.default_rng(0).integers(0, 256, (24, 32, 3)).astype(np.uint8)


def saved(path, image=COLOURS, **options):
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


def film(path, count=12, fps=8, size=(48, 64)):
    shades = [np.full((*size, 3), 20 * i % 256, np.uint8) for i in range(count)]
    return write_video(path, shades, fps=fps, crf=5)


def refusal(source, **limits):
    with pytest.raises(InputError) as refused:
        open_media(source, limits=Limits(**limits))
    text = str(refused.value)
    assert "\n" not in text and len(text) < 400
    return text


def test_pillow_knows_the_formats_by_these_names():
    Image.init()
    assert set(photos._PHOTO_FORMATS) - {"HEIF"} <= set(Image.OPEN)


def test_transparent_parts_are_white_not_what_lies_hidden_under_them():
    hidden = np.zeros((2, 2, 4), np.uint8)
    assert (to_rgb(Image.fromarray(hidden)) == 255).all()


@pytest.mark.parametrize(("scale", "kind"), [(257, np.uint16), (1 / 255, np.float32), (1, np.float32), (257, np.int32)])
def test_grey_levels_of_any_depth_keep_their_shade(scale, kind):
    shade = np.linspace(0, 255, 64).reshape(8, 8)
    shown = to_rgb(Image.fromarray((shade * scale).astype(kind)))
    assert np.abs(shown[:, :, 0] - shade).max() <= 1.5


def test_values_that_are_no_numbers_are_refused(tmp_path):
    for value in (np.nan, np.inf):
        levels = np.full((8, 8), 0.5, np.float32)
        levels[3, 3] = value
        assert "no numbers" in refusal(saved(tmp_path / "nan.tiff", levels))


def test_colours_of_another_space_are_brought_to_srgb_and_a_broken_profile_is_ignored(tmp_path):
    lab_white = Image.fromarray(np.full((4, 4, 3), 128, np.uint8))
    ImageCms.createProfile("sRGB")
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(to_rgb(Image.open(saved(tmp_path / "s.png", icc_profile=own))), COLOURS)
    assert np.array_equal(to_rgb(Image.open(saved(tmp_path / "b.png", icc_profile=b"nonsense" * 30))), COLOURS)
    linear = _with_linear_curve(own)
    shown = to_rgb(Image.open(saved(tmp_path / "l.png", lab_white, icc_profile=linear)))
    # Half of full light is 188 in sRGB's curve.
    assert np.abs(shown.astype(int) - 188).max() <= 2


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK"])
def test_a_profile_counts_in_every_kind_of_photo(tmp_path, mode):
    """Screenshots of a computer are transparent nowhere, and yet RGBA, with the profile of the display."""
    given = Image.fromarray(np.full((4, 4, 3), (204, 51, 102), np.uint8)).convert(mode)
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = own.replace(b"rXYZ", b"????").replace(b"bXYZ", b"rXYZ").replace(b"????", b"bXYZ")
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be"))
    shown = to_rgb(Image.open(saved(tmp_path / "own.tif", given, icc_profile=swapped)))
    # (A profile of RGB is none for CMYK.)
    assert np.abs(shown.astype(int) - ((204, 51, 102) if mode == "CMYK" else (102, 51, 204))).max() <= 3


def _with_linear_curve(profile):
    """An RGB profile whose curves are straight, under another name: built from sRGB's bytes."""
    data = bytearray(profile)
    count = int.from_bytes(data[128:132], "big")
    for tag in range(count):
        entry = 132 + 12 * tag
        name, start, size = (
            bytes(data[entry : entry + 4]),
            *(int.from_bytes(data[entry + at : entry + at + 4], "big") for at in (4, 8)),
        )
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            data[start : start + size] = (b"curv" + bytes(4) + bytes(4)).ljust(size, b"\0")
        if name == b"desc":
            text = bytes(data[start : start + size])
            data[start : start + size] = text.replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be"))
    return bytes(data)


def test_photos_animations_and_videos_are_told_apart_by_their_content(tmp_path):
    frames = [Image.fromarray(np.full((10, 12, 3), 25 * i, np.uint8)) for i in range(10)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=50)
    Path(film(tmp_path / "v.mp4")).rename(tmp_path / "v.jpg")
    animation = open_media(tmp_path / "a.gif", 5)
    assert (animation.kind, animation.indices.tolist()) == (ANIMATION, [1, 3, 5, 7, 9])
    assert animation.times == pytest.approx(animation.indices / 20)
    assert animation.duration == pytest.approx(0.45)
    assert [picture[0, 0, 0] for picture in animation.pictures] == pytest.approx(25 * animation.indices, abs=3)
    video = open_media(tmp_path / "v.jpg", 3)
    assert (video.kind, video.indices.tolist()) == (VIDEO, [2, 6, 10])
    assert video.times == pytest.approx([0.25, 0.75, 1.25])
    assert video.duration == pytest.approx(11 / 8)
    photo = open_media(saved(tmp_path / "p.mp4", format="PNG"), 3)
    assert (photo.kind, photo.times.tolist(), photo.duration) == (PHOTO, [0], 0)
    assert np.array_equal(photo.pictures[0], COLOURS)
    for name in ("a.gif", "v.jpg", "p.mp4"):
        by_content = open_media((tmp_path / name).read_bytes(), 3)
        by_name = open_media(tmp_path / name, 3)
        assert all(map(np.array_equal, by_content.pictures, by_name.pictures))
        assert by_content.times.tolist() == by_name.times.tolist()


def test_times_follow_a_variable_frame_rate(tmp_path):
    path, shown = tmp_path / "vfr.mp4", [0, 40, 80, 500, 520, 1300]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 1000)
        for at, milliseconds in enumerate(shown):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 * at, np.uint8), format="rgb24")
            frame.pts, frame.time_base = milliseconds, stream.codec_context.time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert frame_times(path) == pytest.approx(np.array(shown) / 1000, abs=2e-3)
    seen = open_media(path, 3)
    assert seen.times == pytest.approx([0.04, 0.5, 1.3], abs=2e-3)
    assert [int(picture.mean()) for picture in seen.pictures] == pytest.approx([40, 120, 200], abs=4)


def test_few_frames_of_a_long_video_are_the_ones_that_counting_finds(tmp_path):
    path = tmp_path / "long.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (400, 48, 64, 3)).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 48, "yuv420p", 25
        for array in noise:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
        container.mux(stream.encode())
    every = read_frames(path)[1]
    wanted = spread(7, 400).tolist()
    found, frames = read_frames(path, wanted)
    assert found.tolist() == wanted
    assert np.array_equal(frames, every[wanted])


def make_bad(folder):
    """Everything that is neither a photo nor a video, or not any more, and what is said of it."""
    good = film(folder / "good.mp4").read_bytes()
    photo = saved(folder / "good.png").read_bytes()
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        archive.write(folder / "good.png")
    os.mkfifo(folder / "pipe.mp4")
    (folder / "broken.jpg").symlink_to("nothing")
    (folder / "self.jpg").symlink_to("self.jpg")
    cases = {
        "empty.jpg": (b"", "empty"),
        "text.mp4": (b"no film, only words", "nor a video"),
        "cut.png": (photo[: len(photo) // 2], "cannot be read"),
        "head.mp4": (good[:200], "video"),
        "letter.pdf": (b"%PDF-1.7 and so on", "a PDF"),
        "list.mp4": (f"#EXTM3U\n#EXTINF:1,\nfile:{folder}/good.mp4\n".encode(), "a playlist"),
        "indented.mp4": (f"\n#EXTM3U\n#EXTINF:1,\nfile:{folder}/good.mp4\n".encode(), "nor a video"),
        "concat.mp4": (f"ffconcat version 1.0\nfile '{folder}/good.mp4'\n".encode(), "nor a video"),
        "page.html": (b"<!DOCTYPE html><script>alert(1)</script>", "nor a video"),
        "script.ps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run", "nor a video"),
        "phone.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(90), "HEIC photo"),
        "sound.wav": (b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0" + bytes(24), "nor a video"),
        "zero.png": (_png(0, 9), "cannot be read"),
        "bomb.png": (_png(200_000, 200_000), "too large"),
    }
    for name, (content, _) in cases.items():
        (folder / name).write_bytes(content)
    return {name: said for name, (_, said) in cases.items()} | {
        "all.zip": "archive",
        "pipe.mp4": "not a file",
        "broken.jpg": "not a file",
        "self.jpg": "not a file",
        "absent.jpg": "no such file",
        ".": "a folder",
        "nu\0ll.jpg": "no such file",
        "../" * 40 + "etc/nothing-here": "no such file",
    }


def _png(width, height):
    """A PNG whose header says so, and hardly anything behind it."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big") for name, body in chunks
    )


def test_whatever_is_no_photo_and_no_video_is_told_in_one_line_each(tmp_path):
    for name, said in make_bad(tmp_path).items():
        assert said in refusal(f"{tmp_path}/{name}"), name


def test_a_playlist_does_not_make_us_read_other_files(tmp_path):
    # The formats that name other files are not among those that are tried: not even by content under a film's name.
    film(tmp_path / "secret.mp4")
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
    for text in (playlist, "ffconcat version 1.0\nfile {}\n"):
        path = tmp_path / "list.mp4"
        path.write_text(" " + text.format(tmp_path / "secret.mp4"))
        refusal(path)
        refusal(path.read_bytes())
    # Nor does a name that FFmpeg would take for an order.
    odd = tmp_path / "concat:secret.mp4|secret.mp4"
    odd.write_bytes((tmp_path / "secret.mp4").read_bytes())
    assert open_media(odd, 2).kind == VIDEO
    assert open_media(film(tmp_path / "frame%03d.mp4"), 2).kind == VIDEO


def test_a_file_that_is_two_things_is_what_it_begins_with(tmp_path):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("evil.py", "raise SystemExit")
    path = tmp_path / "both.png"
    path.write_bytes(saved(tmp_path / "a.png").read_bytes() + archive.getvalue())
    assert np.array_equal(open_media(path).pictures[0], COLOURS)
    assert "archive" in refusal(archive.getvalue() + path.read_bytes())


def test_limits_are_looked_at_before_anything_is_decoded(tmp_path, monkeypatch):
    clip, photo = film(tmp_path / "a.mp4", count=40, fps=8), saved(tmp_path / "a.png")
    monkeypatch.setattr(media, "ShotReader", lambda *_, **__: pytest.fail("decoded"))
    monkeypatch.setattr(media, "to_rgb", lambda *_: pytest.fail("decoded"))
    assert "5 s long, and 3 s are the most" in refusal(clip, seconds=3)
    assert "too large" in (said := refusal(photo, pixels=700)) and said.endswith("or allow more (--max-megapixels)")
    assert refusal(photo, pixels=700, adjustable=False).endswith(": scale it down"), "others have no such option"
    assert "MB are the most" in refusal(photo, bytes=100)
    assert "MB are the most" in refusal(photo.read_bytes(), bytes=100)


def test_huge_frames_are_looked_at_in_smaller_number_and_that_is_said(tmp_path):
    clip = film(tmp_path / "a.mp4")
    seen = open_media(clip, 8, Limits(memory=3 * 48 * 64 * 3))
    assert seen.indices.tolist() == spread(3, 12).tolist()
    assert seen.notes == ("its frames are so large that only 3 are looked at",)
    assert open_media(clip, 8).notes == ()


def test_frames_that_do_not_decode_are_counted(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 96, 128, 3)).astype(np.uint8)
    whole = write_video(tmp_path / "a.mp4", noise, fps=8, crf=30).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    seen = open_media(tmp_path / "cut.mp4", 8)
    assert 1 <= len(seen.pictures) <= 8 and len(seen.times) == len(seen.pictures) == len(seen.indices)
    assert np.all(np.diff(seen.times) > 0)


def test_folders_are_walked_without_hidden_files_and_loops(tmp_path):
    (tmp_path / "b" / "c").mkdir(parents=True)
    for name in ("z.png", "b/y.png", "b/c/x.png", ".hidden.png"):
        saved(tmp_path / name)
    (tmp_path / "b" / "loop").symlink_to(tmp_path)
    (tmp_path / "b" / "up.png").symlink_to("../z.png")
    (tmp_path / "b" / "out.png").symlink_to("/dev/zero")
    found = {str(path).removeprefix(f"{tmp_path}/"): bool(why) for path, why in files_in([tmp_path])}
    assert list(found) == ["z.png", "b/out.png", "b/up.png", "b/y.png", "b/loop", "b/c/x.png"]
    assert [name for name, refused in found.items() if refused] == ["b/out.png", "b/loop"]
    assert list(files_in(["absent", b"bytes"])) == [("absent", ""), (b"bytes", "")]


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "closed").mkdir()
    saved(tmp_path / "a.png")
    scandir = os.scandir

    def guarded(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("os.scandir", guarded)  # whoever tests as root may read all
    said = [(Path(path).name, why) for path, why in files_in([tmp_path])]
    assert said == [("a.png", ""), ("closed", "a folder that cannot be read (Permission denied); see who may read it")]
    assert [why[:8] for _, why in files_in([tmp_path / "closed"])] == ["a folder"]


def test_patterns_are_read_where_the_shell_did_not(tmp_path):
    for name in ("a1.png", "a2.png", "b.png", "[odd].png"):
        saved(tmp_path / name)
    base = f"{tmp_path}/"
    assert matching(f"{base}a*.png") == [f"{base}a1.png", f"{base}a2.png"]
    assert matching(f"{base}[odd].png") == [f"{base}[odd].png"]  # there is a file of that name
    assert matching(f"{base}nothing*") == [f"{base}nothing*"]
