"""Small files that ask for a whole machine: by what they claim, or by what they really hold.

None is to be opened without bounds on memory and time. How large the claim is, the makers are told, so that what has to
be measured can be made smaller first.
"""

import io
import struct
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from cases.boxes import (
    DATA,
    Track,
    black_png,
    box,
    movie,
    one_pixel_gif,
    patched,
    picture_entry,
    u32,
    webp_animation,
)
from cases.encode import PLAIN, Coding, encode, film, looped, shot, yuv_frame
from cases.people import Seen, scene
from cases.registry import NO_VERDICT, add

CLAIMED, PACKETS, STREAMS, FRAMES = "claimed samples", "many packets", "streams behind the first", "costly frames"
PICTURES, FACES = "many small pictures in a large one", "many faces"
EITHER = r"^(fake|real|cannot tell) "
PNG = b"png "


def claims(folder: Path, tracks: int, samples: int, lies: str = "all") -> Path:
    """Tracks each of which claims so many samples of a byte, in a file of a few.

    Args:
        folder: for the film.
        tracks: how many.
        samples: that each claims.
        lies: which tables do: "all", or "sizes" alone; then the times speak of one sample.
    """
    whole = movie(bytes(64), [Track(picture_entry(PNG, 64, 64), samples)] * tracks)
    if lies == "sizes":
        whole = patched(whole, "moov/trak/mdia/minf/stbl/stts", 8, u32(1))
        whole = patched(whole, "moov/trak/mdia/minf/stbl/stsc", 12, u32(1))
    path = folder / "film.mp4"
    path.write_bytes(whole)
    return path


def film_and_claims(folder: Path, samples: int = 80_000_000) -> Path:
    """A sound film with one more track, which claims."""
    path = film(folder / "film.mp4", [shot(1, 0, size=0.9)])
    data = path.read_bytes()
    start = data.index(b"moov") - 4
    track = Track(picture_entry(PNG, 64, 64), samples).to_bytes(9, 64, 64)
    size = struct.unpack_from(">I", data, start)[0]
    path.write_bytes(data[:start] + u32(size + len(track)) + data[start + 4 :] + track)
    return path


def fragments_claim(folder: Path, runs: int = 100, samples: int = 1_000_000) -> Path:
    """Runs of a fragment, each of which claims so many samples without a table of them."""
    whole = movie(bytes(64), [Track(picture_entry(PNG, 64, 64), 1)])
    start = whole.index(b"moov") - 4
    extends = box(b"mvex", box(b"trex", u32(0, 1, 1, 40_000, 1, 0)))
    run = box(b"trun", u32(0, samples))
    fragment = box(b"moof", box(b"mfhd", u32(0, 1)), box(b"traf", box(b"tfhd", u32(0, 1)), *[run] * runs))
    moov = box(b"moov", whole[start + 8 :], extends)
    path = folder / "film.mp4"
    path.write_bytes(whole[:start] + moov + fragment + box(b"mdat", bytes(64)))
    return path


def tiny_packets(folder: Path, packets: int = 4_000_000, delta: int = 1) -> Path:
    """So many packets of one byte, all there, `delta` microseconds apart; none is a picture."""
    path = folder / "film.mp4"
    path.write_bytes(movie(bytes(packets), [Track(picture_entry(PNG, 64, 64), packets, delta=delta)]))
    return path


def shared_packet(folder: Path, packets: int = 4_000_000) -> Path:
    """So many packets that are all the same bytes of the file."""
    picture = black_png(64, 64)
    chunks = [DATA] * packets
    path = folder / "film.mp4"
    path.write_bytes(movie(picture, [Track(picture_entry(PNG, 64, 64), packets, chunks, len(picture), delta=1)]))
    return path


def vast_streams(folder: Path, edge: int = 16_000, streams: int = 4, first: int = 64) -> Path:
    """A film of a small picture; behind it further streams of PNG, of so many pixels a side."""
    small, large = black_png(first, first), black_png(edge, edge, "rgb")
    tracks = [Track(picture_entry(PNG, first, first), [len(small)])]
    # The header says nothing of how large they are: the pictures themselves do.
    tracks += [Track(picture_entry(PNG, first, first), [len(large)], (DATA + len(small),))] * streams
    path = folder / "film.mov"
    path.write_bytes(movie(small + large, tracks, first, first))
    return path


def costly(folder: Path, frames: int = 3000, width: int = 7680, height: int = 4320, fps: int = 1000) -> Path:
    """A still film of large frames, many a second: each costs a decoder its pixels, and the file a few bytes."""
    planes = [np.full((height // step, width // step), 100, np.uint8) for step in (1, 2, 2)]
    still = yuv_frame(planes, "yuv420p")
    part = encode(folder / ".part.mp4", [still] * 4, Coding(options={"g": "4", "bf": "0"}))
    path = looped(folder / "film.mp4", [(part, frames // 4)], width, height, 1_000_000 // fps)
    part.unlink()
    return path


def growing(folder: Path) -> Path:
    """A film whose frames have 64 pixels a side at first and 8,192 from the second on."""
    small, large = black_png(64, 64), black_png(8192, 8192, "rgb")
    track = Track(picture_entry(PNG, 64, 64), [len(small), *[len(large)] * 3])
    path = folder / "film.mov"
    path.write_bytes(movie(small + large * 3, [track]))
    return path


for tracks, samples in ((150, 10**6), (20, 10**6), (40, 8 * 10**7)):
    add(f"{tracks} tracks claim {samples:,} samples", CLAIMED, "MP4 of a few kilobytes; what is claimed is not there",
        partial(claims, tracks=tracks, samples=samples), answer=NO_VERDICT, hungry=True)  # fmt: skip
add("sizes alone claim", CLAIMED, "40 tracks whose table of sizes alone claims 80,000,000 samples each",
    partial(claims, tracks=40, samples=8 * 10**7, lies="sizes"), answer=NO_VERDICT, hungry=True)  # fmt: skip
add("one track claims all it can", CLAIMED, "one track that claims 2^32 - 1 samples",
    partial(claims, tracks=1, samples=2**32 - 1), answer=NO_VERDICT, hungry=True)  # fmt: skip
add("a sound film with a claim", CLAIMED, "a film with one more track, which claims 80,000,000 samples",
    film_and_claims, answer=EITHER, hungry=True)  # fmt: skip
add("fragments claim", CLAIMED, "a hundred runs of a fragment, each claiming 1,000,000 samples", fragments_claim,
    answer=NO_VERDICT, hungry=True)  # fmt: skip
add("four million packets", PACKETS, "4,000,000 packets of a byte, a microsecond apart", tiny_packets,
    answer=NO_VERDICT, hungry=True)  # fmt: skip
add("ten million packets", PACKETS, "10,000,000 packets of a byte", partial(tiny_packets, packets=10_000_000),
    answer=NO_VERDICT, hungry=True)  # fmt: skip
add("one packet a million times", PACKETS, "1,000,000 packets that are the same bytes of the file",
    partial(shared_packet, packets=1_000_000), answer=EITHER, hungry=True)  # fmt: skip
add("four vast streams", STREAMS, "four PNG streams of 16,000 by 16,000 behind one of 64 by 64", vast_streams,
    answer=NO_VERDICT, hungry=True, slow=True)  # fmt: skip
add("one vast stream", STREAMS, "one PNG stream of 16,000 by 16,000 behind one of 64 by 64",
    partial(vast_streams, streams=1), answer=NO_VERDICT, hungry=True, slow=True)  # fmt: skip
add("a hundred streams", STREAMS, "a hundred PNG streams of 2,000 by 2,000 behind the first",
    partial(vast_streams, edge=2000, streams=100), answer=NO_VERDICT, hungry=True)  # fmt: skip
add("8K at 1,000 frames a second", FRAMES, "three seconds of 8K at 1,000 frames a second", costly, answer=EITHER,
    hungry=True, slow=True)  # fmt: skip
add("an hour of a still 4K", FRAMES, "an hour of 4K at 25 frames a second, nobody in it", answer=NO_VERDICT,
    make=partial(costly, frames=90_000, width=3840, height=2160, fps=25), hungry=True, slow=True)  # fmt: skip
add("frames that grow", FRAMES, "a film whose later frames are 16,000 times as large as its first", growing,
    answer=EITHER, hungry=True)  # fmt: skip


# Animations.
def gif(folder: Path, edge: int = 10_000, pictures: int = 300) -> Path:
    """A large GIF, each of whose pictures changes one pixel."""
    path = folder / "moving.gif"
    path.write_bytes(one_pixel_gif(edge, edge, pictures))
    return path


def apng(folder: Path, edge: int = 10_000, pictures: int = 1000, mode: str = "grey") -> Path:
    """A large animated PNG, each of whose pictures changes one pixel."""
    path = folder / "moving.png"
    path.write_bytes(black_png(edge, edge, mode, [40] * pictures))
    return path


def webp(folder: Path, edge: int = 10_000, pictures: int = 500) -> Path:
    """A large animated WebP, each of whose pictures changes one pixel."""
    pixel = io.BytesIO()
    Image.new("RGB", (1, 1)).save(pixel, "WEBP", lossless=True)
    path = folder / "moving.webp"
    path.write_bytes(webp_animation(edge, edge, pixel.getvalue(), pictures))
    return path


add("a vast GIF", PICTURES, "GIF of 10,000 by 10,000, 300 pictures of one pixel", gif, answer=NO_VERDICT, hungry=True)
add("a vast APNG", PICTURES, "APNG of 10,000 by 10,000, 1,000 pictures of one pixel", apng, answer=NO_VERDICT,
    hungry=True)  # fmt: skip
add("a vast WebP", PICTURES, "WebP of 10,000 by 10,000, 500 pictures of one pixel", webp, answer=NO_VERDICT,
    hungry=True)  # fmt: skip
add("a long GIF", PICTURES, "GIF of 2,000 by 2,000, 50,000 pictures of one pixel", answer=NO_VERDICT, hungry=True,
    make=partial(gif, edge=2000, pictures=50_000))  # fmt: skip
add("a GIF without time", PICTURES, "GIF of 64 by 64, 3 pictures, each shown for 40 ms", answer=NO_VERDICT,
    make=partial(gif, edge=64, pictures=3))  # fmt: skip


# Faces.
def crowd(rows: int, columns: int, size: float = 1.0) -> tuple[Seen, ...]:
    """People in rows, each a cell of a picture that is as high as wide."""
    return tuple(
        Seen((row + column) % 8, (column + 0.5) / columns, (row + 0.5) / rows, size / rows)
        for row in range(rows)
        for column in range(columns)
    )


def crowded_photo(folder: Path, edge: int = 2000, people: int = 20) -> Path:
    """A photo of people in rows, as many a row as there are rows."""
    path = folder / "crowd.jpg"
    Image.fromarray(scene(crowd(people, people), edge, edge)).save(path, quality=90)
    return path


def crowded_film(folder: Path, edge: int = 2000, people: int = 20, frames: int = 3) -> Path:
    """A film of people in rows, as many a row as there are rows; of many frames, four are shown again and again."""
    drawn = [scene(crowd(people, people), edge, edge, sway=index) for index in range(min(frames, 4))]
    if frames <= len(drawn):
        return encode(folder / "crowd.mp4", drawn, PLAIN)
    part = encode(folder / ".part.mp4", drawn, Coding(options={"g": "4", "bf": "0"}))
    path = looped(folder / "crowd.mp4", [(part, frames // 4)], edge, edge)
    part.unlink()
    return path


# A face has a third of its cell: of four hundred in four megapixels, 35 pixels, and no detector was trained on that.
_TINY = NO_VERDICT + r".*(too small|no face found)"
add("400 faces in a photo", FACES, "400 faces of 35 pixels in 2,000 by 2,000", crowded_photo, answer=_TINY, hungry=True)
add("400 faces in a film", FACES, "the same in each of three frames", crowded_film, answer=_TINY, hungry=True)
add("225 faces in 64 frames", FACES, "225 faces of 35 pixels in each of 64 frames", answer=_TINY, hungry=True,
    slow=True, make=partial(crowded_film, edge=1500, people=15, frames=64))  # fmt: skip
# Real is no file of which some faces were not looked at.
_CROWD = r"(?s)^(fake|cannot tell) .*\(32 faces\).*(so far real, but|called fake).* more faces were not judged"
add("a hundred faces in a photo", FACES, "100 faces of 105 pixels: 32 are judged, of the others that is said",
    partial(crowded_photo, edge=3000, people=10), answer=_CROWD, hungry=True, slow=True)  # fmt: skip
add("49 faces in 64 frames", FACES, "49 faces of 105 pixels in each of 64 frames", answer=_CROWD, hungry=True,
    slow=True, make=partial(crowded_film, edge=2100, people=7, frames=64))  # fmt: skip
add("a class in 4K", FACES, "25 people in a photo of 2,160 pixels a side: every one of them is judged",
    partial(crowded_photo, edge=2160, people=5), answer=r"\(25 faces\)")  # fmt: skip


# What merely looks like a film.
def damaged(folder: Path, keep: float) -> Path:
    """A film of which only the first part is there."""
    path = film(folder / "film.mp4", [shot(2, 0, size=0.9)])
    path.write_bytes(path.read_bytes()[: round(keep * path.stat().st_size)])
    return path


def playlist(folder: Path) -> Path:
    """A list that would have another file read, and called a film."""
    (folder / "secret.txt").write_text("secret\n")
    path = folder / "film.mp4"
    path.write_text(f"ffconcat version 1.0\nfile {folder / 'secret.txt'}\nfile http://127.0.0.1:9/x.mp4\n")
    return path


def no_frames(folder: Path) -> Path:
    """An MP4 with a track and not one sample."""
    path = folder / "film.mp4"
    path.write_bytes(movie(b"", [Track(picture_entry(PNG, 64, 64), [])]))
    return path


def self_contained(folder: Path, depth: int = 20_000) -> Path:
    """Boxes within boxes within boxes."""
    content = b""
    for _ in range(depth):
        content = u32(8 + len(content)) + b"moov" + content
        if len(content) > 400_000:
            break
    path = folder / "film.mp4"
    path.write_bytes(box(b"ftyp", b"isom", u32(0), b"isom") + content)
    return path


BROKEN = "damaged and forged films"
add("half a film", BROKEN, "an MP4 cut off in the middle, whose index is gone", partial(damaged, keep=0.5),
    answer=NO_VERDICT)  # fmt: skip
add("a playlist called film", BROKEN, "a list of files to read, called .mp4", playlist, answer=NO_VERDICT,
    steady=False)  # fmt: skip
add("no frame at all", BROKEN, "an MP4 with a track and no sample", no_frames, answer=NO_VERDICT)
add("boxes within boxes", BROKEN, "an MP4 of boxes within boxes", self_contained, answer=NO_VERDICT)
