"""From a decoded frame to what a player shows: its colours, the shape of its pixels, its two fields, its rotation.

What a file does not say, or says in a way that cannot be, is taken as players take it:

- no matrix: that of BT.709 from 1280 columns or 577 lines on, below it that of BT.601; as mpv and browsers do;
- no range: limited (16 to 235);
- no curve: that of an ordinary video. HLG and PQ are recognised by their tags alone;
- pixels of no shape, or more than four times as long as wide: square;
- a rotation that makes a line or a point of the picture: none; one by an odd angle: the nearest quarter turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import av
import numpy as np

from torchfakes_utils.io.limits import MOST_FRAME_PIXELS

# Numbers of the standard (ITU-T H.273), as FFmpeg has them.
_PQ, _HLG = 16, 18
_BT2020 = 9
_BT601, _BT709 = 5, 1
_MATRICES = (1, 4, 5, 6, 7, 9)  # that FFmpeg's converter knows

_SCALER = {6: 5}  # numbers that the converter has otherwise; 5 and 6 are the same matrix
_UNSAID = 2

# Above this a picture has the matrix of HD where it does not say which.
_SD = (1280, 576)

# A pixel's width over its height is believed up to here: the widest that is used is 2.
_LONGEST_PIXEL = 4

# Rows of an HDR frame that are converted at once, so that its linear light takes little room.
_STRIP = 128


@dataclass(frozen=True)
class Header:
    """What a file says of a film's pictures beside them: it counts where they say nothing themselves.

    Attributes:
        pixel_shape: width of a pixel over its height; 0 where it is not said.
        matrix, primaries, curve, range: of its colours, by the standard's numbers.
    """

    pixel_shape: Fraction = Fraction(0)
    matrix: int = _UNSAID
    primaries: int = _UNSAID
    curve: int = _UNSAID
    range: int = 0

    @classmethod
    def of(cls, stream: av.VideoStream) -> "Header":
        """Of a stream of which nothing has been decoded yet: then its decoder knows what the pictures say."""
        context = stream.codec_context
        colours = (context.colorspace, context.color_primaries, context.color_trc, context.color_range)
        return cls(stream.sample_aspect_ratio or Fraction(0), *(int(value) for value in colours))


@dataclass(frozen=True)
class Frame:
    """A decoded frame, as the file has it.

    Attributes:
        decoded: by the decoder.
        header: of its film.
    """

    decoded: av.VideoFrame
    header: Header = Header()

    @property
    def is_turned(self) -> bool:
        """Whether it is displayed in another way than it is stored."""
        return _Turn.of(self.decoded) != _Turn()

    def to_rgb(self, most: int = MOST_FRAME_PIXELS) -> np.ndarray:
        """As displayed, (H, W, 3) uint8 sRGB; smaller where it would have more than `most` pixels."""
        turn = _Turn.of(self.decoded)
        width, height = _shown_size(self.decoded, self.header.pixel_shape)
        if width * height > most:
            scale = (most / (width * height)) ** 0.5
            width, height = max(1, int(width * scale)), max(1, int(height * scale))
        frame = _one_field(self.decoded) if self.decoded.interlaced_frame else self.decoded
        curve = _said(frame.color_trc, self.header.curve)
        if curve in (_PQ, _HLG):
            signal = _converted(frame, self.header, width, height, "rgb48le")
            array = _in_sdr(signal, curve, _said(frame.color_primaries, self.header.primaries))
        else:
            array = _converted(frame, self.header, width, height, "rgb24")
        return np.ascontiguousarray(turn.apply(array))


def of_one_size(pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Pictures (H, W, 3) uint8 of a film that changes its size on the way, as recordings of video calls do.

    All get the size of the largest; what has another shape stands in the middle, with black beside it: nobody is
    stretched. Where all are alike nothing is done.
    """
    if len({picture.shape for picture in pictures}) <= 1:
        return list(pictures)
    height, width = max((picture.shape[:2] for picture in pictures), key=lambda size: size[0] * size[1])
    return [_fitted(picture, height, width) for picture in pictures]


def _fitted(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    import cv2  # which is not needed otherwise, and takes as long to import as all else here

    if picture.shape[:2] == (height, width):
        return picture
    scale = min(height / picture.shape[0], width / picture.shape[1])
    size = min(width, max(1, round(picture.shape[1] * scale))), min(height, max(1, round(picture.shape[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    result = np.zeros((height, width, 3), np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    result[top : top + size[1], left : left + size[0]] = cv2.resize(picture, size, interpolation=how)
    return result


@dataclass(frozen=True)
class _Turn:
    """How a picture is turned and mirrored to be displayed: exchanged axes first, then mirrored."""

    swaps: bool = False
    left_right: bool = False
    upside_down: bool = False

    @classmethod
    def of(cls, frame: av.VideoFrame) -> "_Turn":
        """From the matrix that goes along with a frame; x' = ax + cy, y' = bx + dy."""
        try:
            matrix = bytes(frame.side_data["DISPLAYMATRIX"])  # type: ignore[typeddict-item]  # unknown to its hints
        except KeyError:
            return cls()
        except ValueError:  # beside it, data of a kind that PyAV does not know; to it, nothing is mirrored
            return _QUARTERS[round(frame.rotation / 90) % 4 if abs(frame.rotation) <= 180 else 0]
        if len(matrix) != 36:
            return cls()
        a, b, _, c, d = np.frombuffer(matrix, "=i4")[:5].astype(float)
        if abs(a * d - b * c) < 1e-3 * max(abs(a), abs(b), abs(c), abs(d)) ** 2 or not any((a, b, c, d)):
            return cls()
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(True, bool(c < 0), bool(b < 0))
        return cls(False, bool(a < 0), bool(d < 0))

    def apply(self, array: np.ndarray) -> np.ndarray:
        array = array.swapaxes(0, 1) if self.swaps else array
        return array[:: -1 if self.upside_down else 1, :: -1 if self.left_right else 1]


# By quarter turns counterclockwise.
_QUARTERS = (_Turn(), _Turn(True, False, True), _Turn(False, True, True), _Turn(True, True, False))


def _shown_size(frame: av.VideoFrame, pixel_shape: Fraction) -> tuple[int, int]:
    """Width and height with square pixels, before rotation; the shorter side of a pixel is stretched, none is lost."""
    width, height = frame.width, frame.height
    shape = float(pixel_shape)
    if 1 / _LONGEST_PIXEL <= shape <= _LONGEST_PIXEL:
        square = round(width * max(shape, 1.0)), round(height / min(shape, 1.0))
        if square[0] * square[1] <= MOST_FRAME_PIXELS:
            return square
    return width, height


def _one_field(frame: av.VideoFrame) -> av.VideoFrame:
    """Every second line of an interlaced frame: one moment rather than two, of half the height."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25))
    field, sink = graph.add("field", "top"), graph.add("buffersink")
    source.link_to(field)
    field.link_to(sink)
    graph.configure()
    graph.push(frame)
    return graph.vpull()


def _said(by_frame: int, by_header: int) -> int:
    return int(by_header if by_frame == _UNSAID else by_frame)


def _converted(frame: av.VideoFrame, header: Header, width: int, height: int, form: str) -> np.ndarray:
    """(H, W, 3) RGB by the frame's matrix, its curve as it is."""
    matrix = None
    if not frame.format.is_rgb and frame.colorspace not in _MATRICES:
        guess = _BT709 if frame.width >= _SD[0] or frame.height > _SD[1] else _BT601
        matrix = header.matrix if header.matrix in _MATRICES else guess
        matrix = _SCALER.get(matrix, matrix)
    # One thread: FFmpeg would start some for every frame.
    return frame.to_ndarray(
        format=form,
        width=width,
        height=height,
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=None if frame.color_range or not header.range else header.range,
        threads=1,
    )


# HDR.
# White paper is as bright as an SDR video's white (ITU-R BT.2408): 75 % of HLG's signal, 203 cd/m² of PQ's.
_HLG_WHITE, _PQ_WHITE = 0.265, 203.0
_TO_BT709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32)


def _in_sdr(signal: np.ndarray, curve: int, primaries: int) -> np.ndarray:
    """HDR as an SDR video shows it: (H, W, 3) uint16 of a signal to uint8 sRGB.

    What is brighter than white paper is brought below it by the curve of ITU-R BT.2390, from the brightest place of the
    picture down; where nothing is, all keeps its light. HLG is taken for the light of the scene, as BT.2408 has it
    where cameras are to match: its gamma is left to the screen, to which a camera of SDR leaves it, too.
    """
    light = _light(curve)
    gain = _gain(light, float(light[signal[::4, ::4].max()]))
    result = np.empty(signal.shape, np.uint8)
    for top in range(0, len(signal), _STRIP):
        strip = signal[top : top + _STRIP]
        linear = light[strip] * gain[strip.max(axis=2)][:, :, None]
        if primaries == _BT2020:
            linear = linear @ _TO_BT709.T
        # By the square root, so that few steps suffice for the dark.
        result[top : top + _STRIP] = _srgb()[(np.sqrt(np.clip(linear, 0, 1)) * 4095 + 0.5).astype(np.uint16)]
    return result


@cache
def _light(curve: int) -> np.ndarray:
    """(65536,) float32: the light of each value of a signal, in multiples of white paper's."""
    signal = np.arange(65536) / 65535
    if curve == _PQ:
        return (_pq_light(signal) / _PQ_WHITE).astype(np.float32)
    a, b, c = 0.17883277, 0.28466892, 0.55991073  # ITU-R BT.2100, table 5
    light = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return np.asarray((light / _HLG_WHITE).astype(np.float32))


def _gain(light: np.ndarray, peak: float) -> np.ndarray:
    """By what to multiply each light of a picture, so that `peak` becomes 1 (ITU-R BT.2390, 5.4.1)."""
    if peak <= 1:
        return np.ones_like(light)
    top, white = _pq_signal(peak * _PQ_WHITE), _pq_signal(_PQ_WHITE)
    most = white / top
    knee = 1.5 * most - 0.5
    values = np.minimum(_pq_signal(light * _PQ_WHITE) / top, 1)
    t = np.clip((values - knee) / (1 - knee), 0, 1)
    bent = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (3 * t**2 - 2 * t**3) * most
    shown = _pq_light(np.where(values < knee, values, bent) * top) / _PQ_WHITE
    return np.asarray((shown / np.maximum(light, 1e-6)).astype(np.float32))


# SMPTE ST 2084.
_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128


def _pq_light(signal: np.ndarray) -> np.ndarray:
    """cd/m² of a signal of 0 to 1."""
    power = signal ** (1 / _M2)
    return np.asarray(10_000 * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (1 / _M1))


def _pq_signal(light: np.ndarray | float) -> np.ndarray:
    """The signal, 0 to 1, of so many cd/m²."""
    power = (np.asarray(light, np.float64) / 10_000) ** _M1
    return np.asarray(((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2)


@cache
def _srgb() -> np.ndarray:
    """(4096,) uint8: the value in sRGB of each square root of a light."""
    light = (np.arange(4096) / 4095) ** 2
    value = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray((value * 255 + 0.5).astype(np.uint8))
