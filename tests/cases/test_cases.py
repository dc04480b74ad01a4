"""The cases themselves: each is small, the same each time, and is what it says."""

import contextlib
import hashlib
import itertools
import json
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from cases import CASES, table
from cases import bombs as bombs_
from cases import films as films_
from cases.boxes import find, walk
from cases.encode import pictures
from cases.films import HLG, PQ
from cases.folders import THEIRS
from cases.registry import Case, digests
from cases.weights import SPRUNG, head, state

pytestmark = pytest.mark.slow  # all 600 of them

MOST_BYTES = 60_000_000

# What each review's rows are called here.
ROWS = {
    "a name from a table", "thin and tiny pictures", "cut-off faces", "cuts between people", "short appearances",
    "a far face beside a near one", "colour of video", "names that differ in case", "cover pictures",
    "long and odd names", "folders found unwritable late", "malformed rotation", "dealt splits", "contradictions",
    "no count of frames", "shape of pixels and interlacing", "true reasons", "other people's tables",
    "other people's weights", "other people's folders", "hints", "linked folders", "rounding of what is said",
    "claimed samples", "many packets", "many small pictures in a large one", "many faces", "costly frames",
    "streams behind the first", "an output that is an input", "somebody else's files in --out",
    "files that cannot be read", "markup from a table", "markup from a run", "a stranger's run",
    "weights that would run code", "vast photos", "damaged and forged films",
}  # fmt: skip


@pytest.fixture
def made(tmp_path):
    """Makes a case, by name."""

    def make(name: str) -> Path:
        folder = tmp_path / f"of-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return CASES[name].make(folder)

    return make


@pytest.mark.parametrize("case", CASES.values(), ids=lambda one: one.name)
def test_made_small_and_the_same_twice(case: Case, tmp_path):
    found = []
    for name in ("one", "two")[: 1 + case.steady]:
        folder = tmp_path / name
        folder.mkdir()
        path = case.make(folder)
        assert path.is_relative_to(folder) and (path.exists() or path.name == "project")
        found.append(digests(folder))
    everything = [one for one in folder.rglob("*") if one.is_file() and not one.is_symlink()]
    assert sum(one.stat().st_size for one in everything) < MOST_BYTES
    assert found[0] == found[-1]


def test_every_row_has_cases():
    rows = [one.row for one in CASES.values()]
    assert set(rows) == ROWS
    assert not {row for row in ROWS if rows.count(row) < 2} - {
        "hints", "rounding of what is said", "folders found unwritable late",
    }  # fmt: skip


def test_what_each_kind_gets_is_written_down():
    assert set(table.ROWS) == ROWS and set(table.QUOTED) <= set(CASES)
    assert table.PAGE.read_text(encoding="utf-8") == table.page(), "PYTHONPATH=tests python -m cases.table"


def test_commands_are_those_that_there_are():
    from torchfakes_utils.cli.main import command_parser

    places = dict.fromkeys(("path", "folder", "run", "data", "faces"), "/x")
    for case in CASES.values():
        for name, *words in case.commands(**places):
            command_parser(name).parse_intermixed_args(words)


def test_answers_are_not_found_in_silence_or_a_traceback():
    for case in CASES.values():
        if case.answer is not None and not case.answer.startswith(r"(?s)\A(?!"):
            assert not case.answered(""), case.name
            assert not case.answered("Traceback (most recent call last):\n  …\nIndexError: list"), case.name


# Films, read back by PyAV.
def opened(path: Path):
    return av.open(f"file:{path}")


def frames_of(path: Path) -> list[np.ndarray]:
    with opened(path) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(container.streams.video[0])]


def cuts(frames: list[np.ndarray]) -> list[int]:
    """Where a frame is far from the one before."""
    steps = [np.abs(two.astype(int) - one).mean() for one, two in itertools.pairwise(frames)]
    return [index + 1 for index, step in enumerate(steps) if step > 15]


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("an insert of a fourth person", [100, 175, 225, 250]),
        ("a real and a fake person", [100]),
        ("half a second", [300, 312]),
        ("a cut before one wall", [75]),
        ("a dissolve", []),
    ],
)
def test_a_film_is_cut_where_it_says(made, name, places):
    assert cuts(frames_of(made(name))) == places


def test_people_are_found_and_differ():
    from cases.people import face_box, portrait

    assert len({portrait(number).tobytes() for number in range(8)}) == 8
    assert (portrait(0) != portrait(0, fake=True)).any()
    left, top, right, bottom = face_box(0)
    assert 60 < right - left < 130 and 60 < bottom - top < 160


@pytest.mark.parametrize(("name", "curve"), [("HLG of a phone", HLG), ("PQ of a phone", PQ), ("HLG in webm", HLG)])
def test_hdr_is_tagged_and_darker_than_it_is_shown(made, name, curve):
    with opened(made(name)) as container:
        frame = next(container.decode(video=0))
        assert frame.format.name == "yuv420p10le"
        assert (frame.color_trc, frame.color_primaries, frame.colorspace) == (curve, 9, 9)
        luma = np.frombuffer(bytes(frame.planes[0]), "<u2").reshape(frame.height, -1)[:, : frame.width]
    shown = next(pictures([films_.A(1)])).mean() / 255
    light = (luma.mean() - 64) / 876
    assert abs(light - shown) > 0.02, "judged as it is, it has another light"


def test_untagged_pq_is_untagged(made):
    with opened(made("PQ without its tags")) as container:
        assert next(container.decode(video=0)).color_trc == 2


@pytest.mark.parametrize(("name", "sar"), [("wide pixels", 2), ("narrow pixels", Fraction(1, 2)),
                                           ("a DVD's pixels", Fraction(64, 45)), ("absurd pixels", 255)])  # fmt: skip
def test_shape_of_pixels(made, name, sar):
    with opened(made(name)) as container:
        assert container.streams.video[0].sample_aspect_ratio == sar


@pytest.mark.parametrize("name", ["interlaced", "interlaced MPEG-2"])
def test_interlaced_frames_say_so_and_have_combs(made, name):
    with opened(made(name)) as container:
        frame = next(container.decode(video=0))
        assert frame.interlaced_frame
        rows = frame.to_ndarray(format="gray").astype(int)
    assert np.abs(rows[1:] - rows[:-1]).mean() > 1.5 * np.abs(rows[2:] - rows[:-2]).mean()


def test_matrices_are_those_that_are_named(made):
    matrix = find(made("a matrix of zeros").read_bytes(), "moov/trak/tkhd")[0][40:76]
    assert matrix == bytes(36)
    sound = find(made("colours unsaid").read_bytes(), "moov/trak/tkhd")[0][40:76]
    assert struct.unpack(">9i", sound) == (65536, 0, 0, 0, 65536, 0, 0, 0, 2**30)


def test_covers_are_streams_that_are_no_films(made):
    with opened(made("a song with a cover")) as container:
        assert [stream.type for stream in container.streams] == ["audio", "video"]
        assert container.streams.video[0].codec_context.name == "png"
    with opened(made("a film with a cover")) as container:
        assert [stream.codec_context.name for stream in container.streams.video] == ["h264", "png"]
    with opened(made("a film after its cover")) as container:
        assert [stream.codec_context.name for stream in container.streams.video] == ["png", "h264"]


@pytest.mark.parametrize("name", ["ten minutes in mkv", "ten minutes in ts", "ten minutes in fragments"])
def test_long_films_say_no_count_and_can_be_decoded(made, name):
    with opened(made(name)) as container:
        stream = container.streams.video[0]
        assert stream.frames == 0
        assert container.duration == pytest.approx(600e6, rel=0.01)
        assert stream.width == (1920 if name.endswith("mkv") else 640)
        assert sum(1 for _, _ in zip(range(60), container.decode(stream), strict=False)) == 60


def test_two_seconds_in_ten_minutes_show_somebody_else(made):
    path = made("two seconds in ten minutes")
    assert path.stat().st_size < 500_000
    with opened(path) as container:
        stream = container.streams.video[0]
        assert stream.frames == 15_000
        shown = []
        for second in (358, 359, 360, 361, 362):
            container.seek(second * 1_000_000 + 200_000, backward=True)
            shown.append(next(container.decode(stream)).to_ndarray(format="rgb24").astype(int))
    near = [np.abs(one - shown[0]).mean() < 5 for one in shown]
    assert near == [True, True, False, False, True]


# What is written byte by byte: only read as bytes, for whoever believes it pays.
@pytest.mark.parametrize(("name", "tracks", "samples"), [
    ("150 tracks claim 1,000,000 samples", 150, 10**6), ("40 tracks claim 80,000,000 samples", 40, 8 * 10**7),
    ("sizes alone claim", 40, 8 * 10**7), ("one track claims all it can", 1, 2**32 - 1),
    ("four million packets", 1, 4 * 10**6), ("a sound film with a claim", 2, 8 * 10**7),
])  # fmt: skip
def test_claims(made, name, tracks, samples):
    data = made(name).read_bytes()
    sizes = find(data, "moov/trak/mdia/minf/stbl/stsz")
    assert len(sizes) == tracks and struct.unpack(">3I", sizes[-1][:12]) == (0, 1, samples)
    assert len(data) < (80_000 if "packets" not in name and "film" not in name else 5_000_000)
    times = struct.unpack(">4I", find(data, "moov/trak/mdia/minf/stbl/stts")[-1][:16])
    assert times[2] == (1 if name == "sizes alone claim" else samples)


def test_claims_in_small_are_films(tmp_path):
    """The same makers with next to nothing claimed: FFmpeg takes them for films."""
    with opened(bombs_.claims(tmp_path, tracks=3, samples=5)) as container:
        assert [stream.frames for stream in container.streams.video] == [5, 5, 5]
    with opened(bombs_.tiny_packets(tmp_path, packets=50, delta=1)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        assert [packet.size for packet in packets] == [1] * 50
        assert packets[1].pts - packets[0].pts == 1 and packets[0].time_base == Fraction(1, 1_000_000)
    with opened(bombs_.shared_packet(tmp_path, packets=30)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 30
    with opened(bombs_.fragments_claim(tmp_path, runs=2, samples=3)) as container:
        assert sum(bool(packet.size) for packet in container.demux(video=0)) >= 7
    with opened(bombs_.vast_streams(tmp_path, edge=100, streams=4)) as container:
        assert len(container.streams.video) == 5
        assert [frame.width for frame in container.decode(video=1)] == [100]


def test_vast_streams_are_vast(made):
    data = made("a hundred streams").read_bytes()
    second = data.index(b"IHDR", data.index(b"IHDR") + 4)
    assert struct.unpack(">2I", data[second + 4 : second + 12]) == (2000, 2000)
    assert [path for path, _, _ in walk(data)].count("moov/trak") == 101


def test_a_costly_film_in_small(tmp_path):
    path = bombs_.costly(tmp_path, frames=40, width=256, height=128, fps=1000)
    with opened(path) as container:
        stream = container.streams.video[0]
        assert stream.frames == 40 and stream.average_rate == 1000
    assert len(frames_of(path)) == 40
    assert path.stat().st_size < 3000


def test_8k_is_8k_and_costs_few_bytes(made):
    path = made("8K at 1,000 frames a second")
    assert path.stat().st_size < 50 * 3000
    assert struct.unpack(">2H", find(path.read_bytes(), "moov/trak/mdia/minf/stbl/stsd")[0][40:44]) == (7680, 4320)


@pytest.mark.parametrize(("name", "size", "count"), [("a vast GIF", 10_000, 300), ("a vast APNG", 10_000, 1001),
                                                     ("a vast WebP", 10_000, 500)])  # fmt: skip
def test_animations_claim_what_they_say(made, name, size, count, tmp_path):
    data = made(name).read_bytes()
    at, form = {"GIF8": (6, "<2H"), "\x89PNG": (16, ">2I"), "RIFF": (24, "<2H")}[data[:4].decode("latin-1")]
    wide = struct.unpack(form, data[at : at + struct.calcsize(form)])[0]
    assert wide + (data[:4] == b"RIFF") == size
    assert len(data) < 250_000
    assert data.count({b"GIF8": b"\x2c\0\0\0\0\1\0\1\0", b"\x89PNG": b"fcTL", b"RIFF": b"ANMF"}[data[:4]]) == count


def test_animations_in_small_move(tmp_path):
    for path in (bombs_.gif(tmp_path, 20, 5), bombs_.apng(tmp_path, 20, 5, "rgb"), bombs_.webp(tmp_path, 20, 5)):
        with Image.open(path) as image:
            assert image.size == (20, 20) and image.n_frames in (5, 6)
            for index in range(image.n_frames):
                image.seek(index)
                image.convert("RGB")


# Photos.
def test_a_large_png_is_a_png(made):
    with Image.open(made("112 megapixels")) as image:
        assert image.size == (12_000, 9333)
    with Image.open(bombs_.apng(made("whole").parent, 1500, 0)) as image:
        assert not np.asarray(image).any() and image.size == (1500, 1500)


def test_kinds_of_tiff(made):
    with Image.open(made("floats in TIFF")) as image:
        assert image.mode == "F" and 0.5 < np.asarray(image).max() <= 1
    with Image.open(made("no numbers in TIFF")) as image:
        assert np.isnan(np.asarray(image)).sum() == 1
    with Image.open(made("a camera's DNG")) as image:
        assert image.tag_v2[50706] == (1, 4, 0, 0) or bytes(image.tag_v2[50706]) == b"\1\4\0\0"
        assert image.size == (160, 160) and np.asarray(image).std() > 20
        assert image.tag_v2[330]
    with made("float colours in TIFF").open("rb") as file:
        assert file.read(4) == b"II*\0"


def test_a_cut_off_face_is_at_the_edge(made):
    heights = [
        Image.open(made(name)).height for name in ("bottom 33% of face 0 cut off", "a chin at the edge", "whole")
    ]
    assert heights == sorted(heights) and heights[0] < heights[1] < heights[2]


# Tables, folders, weights, runs.
def test_encodings_of_tables(made):
    assert made("a table with UTF-16").read_bytes()[:2] in (b"\xff\xfe", b"\xfe\xff")
    assert made("a table with UTF-16 with tabs").read_bytes().decode("utf-16-le").count("\t") == 3
    with pytest.raises(UnicodeDecodeError):
        made("a table with Windows-1252").read_text(encoding="utf-8")
    assert made("a table with a mark of UTF-8").read_bytes().startswith(b"\xef\xbb\xbf")


def test_names_in_tables_lead_to_what_is_theirs(made, tmp_path):
    path = made("clip_id is an absolute path, their table")
    victim = path.parents[1] / "theirs"
    assert str(victim) in path.read_text() and (victim / "holiday.png").is_file()
    path = made("method is a way up, our table")
    assert (path.parents[1] / "out/crops" / "../../../../theirs").resolve() != victim
    assert b"\0" in made("compression is a NUL, our table").read_bytes()
    table = made("two of clip_id differ by Unicode").read_text()
    assert "n\u00e9" in table and "ne\u0301" in table


def test_somebodys_folder_holds_what_we_would_write(made):
    path = made("train into somebody's folder")
    assert all((path / name).is_file() for name in THEIRS)
    assert path.with_name("project.old").is_dir() and path.with_name("project.fresh").is_dir()


def test_two_classes_say_the_same(made):
    import torch

    numbers = torch.load(made("weights two classes"), weights_only=True)
    weight, bias = head(numbers)
    assert torch.equal(numbers[weight][1] - numbers[weight][0], state()[weight][0])
    assert numbers[bias].shape == (2,)


@pytest.mark.parametrize("kind", ["pickle", "checkpoint", "older checkpoint", "text"])
def test_a_trap_springs_where_it_is_trusted(made, kind):
    import torch

    path = made(f"a trap in a {kind}")
    assert not (path.parent / SPRUNG).exists()
    with contextlib.suppress(Exception):  # what is no checkpoint is refused, after it has run
        torch.load(path, weights_only=False)
    assert (path.parent / SPRUNG).is_dir()


def test_runs_ask_for_what_they_say(made):
    run = made("a run with crops of 20,000 pixels")
    description = json.loads((run / "best/detector.json").read_text())
    assert description["config"]["preprocessing"]["crop_size"] == 20_000
    assert hashlib.sha256((run / "best/model.safetensors").read_bytes()).hexdigest() == description["sha256"]
    report = json.loads((made("a mistake in a way up") / "report.json").read_text())
    assert report["mistakes"][0]["picture"] == "../secret.txt"


def test_a_sound_run_is_sound(tmp_path):
    from torchfakes_utils.models.detector import load_detector

    from cases.runs import run

    load_detector(run(tmp_path))
