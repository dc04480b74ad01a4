"""Films: cuts and people, colour, geometry, containers. Each by the encoder that would have made it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np

from cases.boxes import black_png, cover, inserted, patched
from cases.encode import FPS, Coding, Shot, encode, film, joined, looped, pictures, remuxed, shot, yuv_frame
from cases.people import Seen, scene
from cases.registry import NO_VERDICT, VERDICT, add, case

CUTS, BRIEF, FAR = "cuts between people", "short appearances", "a far face beside a near one"
COLOUR, MATRIX, SHAPE = "colour of video", "malformed rotation", "shape of pixels and interlacing"
COVERS, UNCOUNTED, NAMES = "cover pictures", "no count of frames", "long and odd names"

# Two people are two, or more appearances than that; never one.
APART = r"^(fake|real|cannot tell) .*\(([2-9]|\d\d+) faces\)"


def _cut(name: str, row: str, what: str, shots: list[Shot], answer: str | None, **more) -> None:
    add(name, row, what, lambda folder: film(folder / "film.mp4", shots), answer=answer, slow=True, **more)


# All are as large in each shot, so that nothing but who they are tells them apart.
A, B, C, D = (partial(shot, person=number, size=0.9) for number in range(4))

_cut(
    "an insert of a fourth person",
    CUTS,
    "three people one after the other, and two seconds of a fourth between",
    [A(4), B(3), D(2), B(1), C(4)],
    r"^(fake|real) .*\(4 faces\)",
)
_cut("a real and a fake person", CUTS, "a real clip, then a fake one of another, in the same place",
     [A(4), B(4, fake=True)], r"^(fake|real) .*\(2 faces\)")  # fmt: skip
_cut("question and answer", CUTS, "two people in turn, a second each, in the same place",
     [one(1) for _ in range(5) for one in (A, B)], APART)  # fmt: skip
_cut("a cut before one wall", CUTS, "two people in the same place before the same wall: only the person changes",
     [Shot(3, (Seen(0, size=0.9),), 7), Shot(3, (Seen(1, size=0.9),), 7)], r"\(2 faces\)")  # fmt: skip
_cut("a jump cut", CUTS, "one person, who after a cut sits elsewhere",
     [Shot(3, (Seen(0, 0.3, size=0.9),), 7), Shot(3, (Seen(0, 0.7, size=0.9),), 7)], VERDICT)  # fmt: skip
_cut("changed seats", CUTS, "two people who after a cut have changed places",
     [Shot(3, (Seen(0, 0.27, size=0.9), Seen(1, 0.73, size=0.9)), 7),
      Shot(3, (Seen(1, 0.27, size=0.9), Seen(0, 0.73, size=0.9)), 7)], APART)  # fmt: skip
_cut("a fake for a fifth of the time", BRIEF, "a fake person beside a real one, in two seconds of ten",
     [Shot(4, (Seen(0, 0.27, size=0.9),), 7), Shot(2, (Seen(0, 0.27, size=0.9), Seen(1, 0.75, size=0.8, fake=True)), 7),
      Shot(4, (Seen(0, 0.27, size=0.9),), 7)], r"\(2 faces\)")  # fmt: skip
_cut("half a second", BRIEF, "a second person, in half a second of twenty", [A(12), B(0.5), A(7.5)], APART)
_cut("only at the end", BRIEF, "a second person, in the last eight frames of ten seconds", [A(9.7), B(0.32)], APART)
_cut("a title first", BRIEF, "three seconds of a wall, half a second of a person, and the wall again",
     [Shot(3, (), 1), A(0.5), Shot(3, (), 2)], VERDICT)  # fmt: skip
_cut("eight people in eight seconds", BRIEF, "a second of each of eight people, in the same place",
     [shot(1, number, size=0.9) for number in range(8)], r"^(fake|real) .*\(([89]|\d\d+) faces\)")  # fmt: skip
add("somebody far behind", FAR, "a film of 1080p: a near person, and behind one whose face has some 110 pixels",
    lambda folder: film(folder / "film.mp4", [Shot(1, (Seen(0, 0.3, size=0.95), Seen(1, 0.8, 0.3, 0.3)))], 1920, 1080),
    answer=r"\(2 faces\)", slow=True)  # fmt: skip


def inset(folder: Path) -> Path:
    """One person all the time, and a small picture beside, in which a real person gives way to a fake one."""
    beside = [Seen(1, 0.83, 0.27, 0.42), Seen(3, 0.83, 0.27, 0.42, fake=True)]
    shots = [Shot(2, (Seen(0, 0.35, 0.5, 0.9), one), 7) for one in beside]
    return film(folder / "film.mp4", shots, 1280, 720)


add("a picture in the picture", CUTS, "a person all the time, and beside in a small picture two in turn", inset,
    answer=r"\(3 faces\)", slow=True)  # fmt: skip


def dissolve(folder: Path, between: float = 1.0) -> Path:
    """One person fades into another for so many seconds."""
    first, second = (list(pictures([one(3)])) for one in (A, B))
    count = round(between * FPS)
    share = np.linspace(0, 1, count)[:, None, None, None]
    mixed = (np.stack(first[-count:]) * (1 - share) + np.stack(second[:count]) * share).astype(np.uint8)
    return encode(folder / "film.mp4", [*first[:-count], *mixed, *second[count:]])


add("a dissolve", CUTS, "one person fades into another within a second", dissolve, answer=APART, slow=True)


@case("a photographer's flash", CUTS, "one person; a flash whitens a frame every second: no cut", slow=True,
      answer=r"^(fake|real) (?!.*faces\))")  # fmt: skip
def flash(folder: Path) -> Path:
    def lit():
        for index, picture in enumerate(pictures([A(5)])):
            yield np.minimum(picture.astype(int) + 150, 255).astype(np.uint8) if index % FPS == 12 else picture

    return encode(folder / "film.mp4", lit())


def long_film(folder: Path, minutes: float = 10, seconds: int = 2, at: float = 0.6) -> Path:
    """One person for so many minutes, but for a few seconds of another, a share `at` of the way."""
    whole = Coding(options={"g": str(FPS), "bf": "0"})
    one, other = (film(folder / f".part{number}.mp4", [shot(1, number, size=0.9)], coding=whole) for number in (0, 1))
    rounds = round(60 * minutes)
    before = round(rounds * at)
    parts = [(one, before), (other, seconds), (one, rounds - before - seconds)]
    path = looped(folder / "film.mp4", parts, 640, 360)
    one.unlink(), other.unlink()
    return path


add("two seconds in ten minutes", BRIEF, "ten minutes of one person, two seconds of which show another", long_film,
    answer=APART, slow=True)  # fmt: skip


def hours(folder: Path) -> Path:
    """A second of film, of which each frame is shown for an hour."""
    part = film(folder / ".part.mp4", [shot(1, 0, size=0.9)], coding=Coding(options={"g": str(FPS), "bf": "0"}))
    path = looped(folder / "film.mp4", [(part, 1)], 640, 360, delta=3_600_000_000)
    part.unlink()
    return path


add("a frame an hour", "costly frames", "25 frames, each shown for an hour: a day of film that costs nothing", hours,
    answer=VERDICT)  # fmt: skip


# Colour. A curve is how light becomes a signal; FFmpeg numbers it as the standards do.
HLG, PQ, SDR = 18, 16, 1
_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
_WHITE_HLG, _WHITE_PQ = 0.2652, 0.0203  # where white paper is: a signal of 75 %, and 203 of 10,000 cd/m²


def _hlg(light: np.ndarray) -> np.ndarray:
    light = light * _WHITE_HLG
    return np.where(
        light <= 1 / 12, np.sqrt(3 * light), 0.17883277 * np.log(np.maximum(12 * light - 0.28466892, 1e-9)) + 0.55991073
    )


def _pq(light: np.ndarray) -> np.ndarray:
    power = (light * _WHITE_PQ) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375


def ten_bits(picture: np.ndarray, curve: int) -> av.VideoFrame:
    """A picture in 10 bits: as it is in BT.709, or as a camera with HLG or PQ records the same scene in BT.2020."""
    signal, (red, blue) = picture / 255.0, (0.2126, 0.0722)
    if curve != SDR:
        light = np.where(signal <= 0.04045, signal / 12.92, ((signal + 0.055) / 1.055) ** 2.4)
        signal, (red, blue) = {HLG: _hlg, PQ: _pq}[curve](light @ _BT2020.T), (0.2627, 0.0593)
    luma = signal @ [red, 1 - red - blue, blue]
    chroma = [(signal[..., 2] - luma) / (2 - 2 * blue), (signal[..., 0] - luma) / (2 - 2 * red)]
    small = [one.reshape(one.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3)) for one in chroma]
    planes = [64 + 876 * luma, *(512 + 896 * one for one in small)]
    return yuv_frame([np.clip(np.round(one), 0, 1023).astype("<u2") for one in planes], "yuv420p10le")


@contextmanager
def _same_priority() -> Iterator[None]:
    """SVT-AV1 makes the thread that opens it one in real time, if it may (root may): whatever that thread starts from
    then on waits for nobody, and two such processes with a pool of threads each wait for each other for ever."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def _hdr(folder: Path, curve: int, codec: str = "libx265", suffix: str = "mp4", tagged: bool = True) -> Path:
    tags = {"color_trc": curve, "color_primaries": 9, "colorspace": 9, "color_range": 1}
    if curve == SDR:
        tags = {"color_trc": 1, "color_primaries": 1, "colorspace": 1, "color_range": 1}
    options = {"preset": "12", "svtav1-params": "lp=1"} if codec == "libsvtav1" else {}
    frames = (ten_bits(one, curve) for one in pictures([A(1)]))
    coding = Coding(codec, "yuv420p10le", options=options, context=tags if tagged else {})
    with _same_priority():
        return encode(folder / f"film.{suffix}", frames, coding)


_HDR = r"^(fake|real) |^cannot tell .*(HDR|HLG|PQ|dynamic range)"
for title, code in (("HLG", HLG), ("PQ", PQ)):
    add(f"{title} of a phone", COLOUR, f"HEVC of 10 bits, {title}, BT.2020", partial(_hdr, curve=code), answer=_HDR,
        slow=True)  # fmt: skip
add("HLG in webm", COLOUR, "AV1 of 10 bits, HLG", partial(_hdr, curve=HLG, codec="libsvtav1", suffix="webm"),
    answer=_HDR, slow=True)  # fmt: skip
add("ten bits, but SDR", COLOUR, "HEVC of 10 bits, BT.709", partial(_hdr, curve=SDR), answer=VERDICT, slow=True)
add("PQ without its tags", COLOUR, "PQ of which the file says nothing: taken for what it is not, but no crash",
    partial(_hdr, curve=PQ, tagged=False), slow=True)  # fmt: skip


def _plain(folder: Path, coding: Coding, name: str = "film.mp4") -> Path:
    return film(folder / name, [A(1)], coding=coding)


for title, what, coding in (
    ("colours unsaid", "H.264 without a word on its colours", Coding(context={})),
    ("full range", "H.264 of full range", Coding(pixels="yuvj420p", context={"color_range": 2})),
    ("4:4:4", "H.264 without subsampled colours", Coding(pixels="yuv444p")),
    ("impossible colours", "H.264 tagged with primaries and a matrix that go ill together",
     Coding(context={"color_primaries": 5, "colorspace": 14, "color_trc": 4})),
    ("a matrix of GBR", "H.264 in YUV that says it is GBR", Coding(context={"colorspace": 0})),
):  # fmt: skip
    add(title, COLOUR, what, partial(_plain, coding=coding), answer=VERDICT)


# Geometry.
def squeezed(folder: Path, sar: Fraction = Fraction(2)) -> Path:
    """A film whose pixels are `sar` times as wide as they are high; as displayed nobody is stretched."""
    width = round(640 / sar / 2) * 2
    frames = (np.asarray(one) for one in _narrowed(pictures([A(1)]), width))
    return encode(folder / "film.mp4", frames, Coding(context={"sample_aspect_ratio": sar}))


def _narrowed(frames, width: int):
    import cv2

    for one in frames:
        yield cv2.resize(one, (width, one.shape[0]), interpolation=cv2.INTER_AREA)


add("wide pixels", SHAPE, "pixels twice as wide as high", squeezed, answer=VERDICT)
add("narrow pixels", SHAPE, "pixels half as wide as high", partial(squeezed, sar=Fraction(1, 2)), answer=VERDICT)
add("a DVD's pixels", SHAPE, "pixels of 64:45", partial(squeezed, sar=Fraction(64, 45)), answer=VERDICT)
add("absurd pixels", SHAPE, "pixels 255 times as wide as high: no picture may be made of that size",
    partial(_plain, coding=Coding(context={"sample_aspect_ratio": Fraction(255)})))  # fmt: skip


def interlaced(folder: Path, coding: Coding, name: str) -> Path:
    """Two moments in each frame, line by line; whoever moves has a comb for an edge."""

    def woven():
        for index in range(FPS):
            first, second = (scene((Seen(0, size=0.9),), 640, 360, sway=8 * moment - 200)
                             for moment in (2 * index, 2 * index + 1))  # fmt: skip
            first = first.copy()
            first[1::2] = second[1::2]
            yield first

    return encode(folder / name, woven(), coding)


_INTERLACED = r"^(fake|real) |^cannot tell .*interlaced"
add("interlaced", SHAPE, "interlaced H.264, somebody walking", answer=_INTERLACED,
    make=partial(interlaced, coding=Coding(options={"x264-params": "tff=1"}), name="film.mp4"))  # fmt: skip
add(
    "interlaced MPEG-2",
    SHAPE,
    "interlaced MPEG-2 of a recorder, bottom field first",
    answer=_INTERLACED,
    make=partial(
        interlaced,
        name="film.mpg",
        coding=Coding("mpeg2video", options={"flags": "+ildct+ilme", "field_order": "bt", "b": "6M"}),
    ),
)


def turned(folder: Path, matrix: tuple[int, ...]) -> Path:
    """A film whose header turns the picture by this matrix: nine numbers, as MP4 has them."""
    path = _plain(folder, PLAIN_LAST)
    content = b"".join(number.to_bytes(4, "big", signed=True) for number in matrix)
    path.write_bytes(patched(path.read_bytes(), "moov/trak/tkhd", 40, content))
    return path


PLAIN_LAST = Coding()  # without "faststart", what is said of the film comes last in the file
ONE, PERSPECTIVE = 0x10000, 0x40000000
for title, what, matrix in (
    ("a matrix of zeros", "a display matrix of zeros", (0,) * 9),
    ("a matrix that flattens", "a display matrix that makes a line of the picture",
     (ONE, 0, 0, 0, 0, 0, 0, 0, PERSPECTIVE)),
    ("a crooked matrix", "a display matrix that turns by 30°",
     (56756, 32768, 0, -32768, 56756, 0, 0, 0, PERSPECTIVE)),
    ("a matrix of largest numbers", "a display matrix of the largest numbers there are", (2**31 - 1,) * 9),
):  # fmt: skip
    add(title, MATRIX, what, partial(turned, matrix=matrix),
        answer=None if title == "a crooked matrix" else VERDICT)  # fmt: skip


# Covers.
def album(folder: Path, name: str = "song.m4a", picture: bytes = b"") -> Path:
    """A second of sound, with a cover."""
    path = folder / name
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("aac", rate=44100)
        stream.codec_context.layout = "mono"
        for start in range(0, 44100, 1024):
            wave = np.sin(np.arange(start, start + 1024) / 20).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    path.write_bytes(inserted(path.read_bytes(), cover(picture or _png(scene((Seen(0),), 320, 320)))))
    return path


def _png(picture: np.ndarray) -> bytes:
    import io

    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(picture).save(content, "PNG")
    return content.getvalue()


def film_with_cover(folder: Path, first: bool) -> Path:
    """A film of one person, whose cover shows another."""
    path = _plain(folder, PLAIN_LAST)
    path.write_bytes(inserted(path.read_bytes(), cover(_png(scene((Seen(1, fake=True),), 320, 320))), first))
    return path


NO_FILM = NO_VERDICT + r".*(no film|no video|sound|cover)"
add("a song with a cover", COVERS, "m4a whose cover is a portrait", album, answer=NO_FILM)
add("a song called film", COVERS, "the same, called .mp4", partial(album, name="film.mp4"), answer=NO_FILM)
add(
    "a song with a vast cover",
    COVERS,
    "m4a whose cover has 16,000 by 16,000 pixels",
    lambda folder: album(folder, picture=black_png(16_000, 16_000, "rgb")),
    answer=NO_FILM,
    hungry=True,
    slow=True,
)
add("a film with a cover", COVERS, "a film of one person whose cover shows another", answer=VERDICT,
    make=partial(film_with_cover, first=False))  # fmt: skip
add("a film after its cover", COVERS, "the same, the cover first in the file: it is the first stream", answer=VERDICT,
    make=partial(film_with_cover, first=True))  # fmt: skip


# Containers that do not say how many frames they hold.
def uncounted(folder: Path, name: str = "film.mkv", minutes: float = 10, width: int = 1920, **options: str) -> Path:
    """Minutes of one person, one second of film again and again."""
    whole = Coding(options={"g": str(FPS), "bf": "0", "crf": "32"})
    part = film(folder / ".part.mp4", [A(1)], width, width * 9 // 16, whole)
    path = remuxed(folder / name, part, round(60 * minutes), options)
    part.unlink()
    return path


add("ten minutes in mkv", UNCOUNTED, "ten minutes of 1080p as mkv", uncounted, answer=VERDICT, slow=True)
add("ten minutes in ts", UNCOUNTED, "ten minutes of 360p as a transport stream", answer=VERDICT, slow=True,
    make=partial(uncounted, name="film.ts", width=640))  # fmt: skip
add("ten minutes in fragments", UNCOUNTED, "ten minutes of 360p as fragmented MP4, whose header counts nothing",
    partial(uncounted, name="film.mp4", width=640, movflags="frag_keyframe+empty_moov"), answer=VERDICT,
    slow=True)  # fmt: skip


# Names.
def named(folder: Path, name: str) -> Path:
    """A second of film under a name."""
    return _plain(folder, PLAIN_LAST).rename(folder / name)


for title, name in (
    ("247 bytes of a name", "a" * 243 + ".mp4"),
    ("255 bytes of a name", "b" * 251 + ".mp4"),
    ("61 emoji", "\N{GRINNING FACE}" * 61 + ".mp4"),
    ("a formula for a name", '=HYPERLINK("x";"y").mp4'),
    ("a name that steers terminals", "film\x1b[2J\x1b]0;title\x07.mp4"),
    ("a name that breaks the line", "film\nfake         1.00.mp4"),
    ("a name written backwards", "film\N{RIGHT-TO-LEFT OVERRIDE}4pm.mp4"),
    ("an option for a name", "--csv.mp4"),
    ("a pattern for a name", "film[1]*.mp4"),
    ("markup for a name", "<img src=x onerror=alert(1)>.mp4"),
):
    add(title, NAMES, f"a film called {name[:40]!r}", partial(named, name=name), answer=VERDICT,
        command="predict {run} {path} --heat-maps {folder}/maps --csv {folder}/answers.csv")  # fmt: skip
add("a name that is no text", NAMES, "a film whose name is not UTF-8", answer=VERDICT,
    make=lambda folder: named(folder, b"film\xff.mp4".decode("utf-8", "surrogateescape")),
    command="predict {run} {path} --csv {folder}/answers.csv")  # fmt: skip

add("the film as its own table", "an output that is an input", "a film that --csv names, too",
    partial(named, name="film.mp4"), command="predict {run} {path} --csv {path}",
    answer=r"film\.mp4.*(--csv|another|input)")  # fmt: skip
add("the film's folder for heat maps", "an output that is an input", "a folder in which something else is called so",
    partial(named, name="0001-film-face1.png.mp4"), command="predict {run} {path} --heat-maps {path}",
    answer=r"--heat-maps|a file")  # fmt: skip


# Films that do not begin as they go on.
def call(folder: Path, sizes: tuple[tuple[int, int], ...], seconds: float = 1) -> Path:
    """A recorded video call, whose pictures change their size whenever the line or the phone does."""
    parts = []
    for number, (width, height) in enumerate(sizes):
        part = folder / f".{number}.ivf"
        coding = Coding("libvpx", options={"b": "2M", "deadline": "realtime", "cpu-used": "8"})
        film(part, [A(seconds)], width, height, coding)
        parts.append(part)
    path = joined(folder / "call.webm", parts)
    for part in parts:
        part.unlink()
    return path


add("a call that begins small", SHAPE, "WebM whose first second has 160 by 90 pixels, and the others 640 by 360",
    partial(call, sizes=((160, 90), (640, 360), (640, 360))), answer=VERDICT, steady=False)  # fmt: skip
add("a phone that is turned", SHAPE, "WebM that is wide for a second and then high: nobody is squeezed",
    partial(call, sizes=((640, 360), (360, 640))), answer=VERDICT, steady=False)  # fmt: skip


def headless(folder: Path, gone: int = 20, name: str = "film.mkv") -> Path:
    """A film whose first packets are gone: nothing decodes before its second key frame; then somebody else comes."""
    part = film(folder / ".part.mkv", [A(2), B(1)], coding=Coding(options={"g": str(FPS), "bf": "0"}))
    path = remuxed(folder / name, part, 1, skipped=gone)
    part.unlink()
    return path


add("a film without its beginning", BRIEF, "two seconds of a person, the first key frame gone, and one of another",
    headless, answer=r"^(fake|real) .*\(2 faces\)")  # fmt: skip
_cut("two frames of somebody else", BRIEF, "a second person, in two frames of eight seconds, before another wall",
     [Shot(4, (Seen(0, size=0.9),), 7), Shot(0.08, (Seen(1, size=0.9),), 1), Shot(4, (Seen(0, size=0.9),), 7)],
     APART)  # fmt: skip
