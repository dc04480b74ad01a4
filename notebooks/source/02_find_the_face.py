# ---
# jupyter:
#   torchfakes:
#     needs: [mini, faces]
# ---

# %% [markdown]
# # 02 · Find the face
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/main/notebooks/02_find_the_face.ipynb)
#
# **In this lesson you watch a network look everywhere at once, and turn a folder of films into a folder of faces
# without losing anybody.**
#
# - **You will be able to** explain an image pyramid and a cascade, write non-maximum suppression in ten lines, follow
#   one person through a clip, cut a face so that training and prediction see the same, say what a crop may give away,
#   and choose what detection may cost.
# - **You need** NumPy and a first idea of a convolution. Lesson 01 helps, but is not needed.
# - **Time:** about 35 min to read, 35 s to run on two CPU cores.
#
# Our bootcamp team wrote a loop: for each video, for each frame, find the face, save it. It ran for three hours and
# died in a film in which somebody looked away. They wrapped it in `try`, started again, and never learnt that in some
# clips it had saved the wrong person. What they lacked was a look inside the detector.

# %%
import sys

if "google.colab" in sys.modules:  # elsewhere, `make setup` has installed the course
    import subprocess

    package = "torchfakes @ git+https://github.com/torchfakes/torchfakes"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", package], check=True)

from torchfakes_utils import course
from torchfakes_utils.course import plots

plots.use_style()

# %%
import numpy as np
import skimage
import torch
from facenet_pytorch import MTCNN

from torchfakes_utils.course import lesson_02
from torchfakes_utils.export import mtcnn_numpy  # the arithmetic between the three networks

photo = skimage.data.astronaut()  # Eileen Collins, by NASA, in the public domain
mtcnn = MTCNN(keep_all=True)
planes, networks = lesson_02.planes(photo), lesson_02.face_networks(mtcnn)
maps = mtcnn_numpy.level_maps(planes, networks.pnet, smallest=20)
stages = lesson_02.cascade_stages(networks, photo, maps)
lesson_02.melting_figure(photo, stages)

# %% [markdown]
# MTCNN (Zhang et al., 2016) is three small networks in a row. The first, **P-Net**, proposes; it is quick and sees
# faces everywhere. The second, **R-Net**, refines; the third, **O-Net**, has the last word and adds five landmarks.
# Why three, and where do the hundreds of boxes come from?

# %% [markdown]
# ## 1 · How can a window of 12 pixels find a face of any size?
#
# P-Net has one fixed eye: a window of 12×12 pixels. So it does not look for large faces. It makes the *picture*
# smaller, until a large face is 12 pixels high. The set of all these pictures is an **image pyramid**. Two numbers
# build it: the smallest face worth finding, which sets the first level, and a factor from one level to the next.
#
# > **Predict first.** The factor is 0.709, so that each level has half the pixels of the one before. How much work is
# > the whole pyramid, compared with its first level: twice, five times, ten times as much?


# %% tags=["nbval-check-output"]
def pyramid(shorter_side: int, min_face: int, factor: float = 0.709) -> list[float]:
    """Scales at which faces from `min_face` px up to the whole picture become 12 px."""
    scale, levels = 12 / min_face, []
    while shorter_side * scale >= 12:
        levels.append(scale)
        scale *= factor
    return levels


for min_face in (20, 40, 80):
    levels = pyramid(512, min_face)
    pixels = [round(512 * scale) ** 2 for scale in levels]
    print(f"faces from {min_face:>2} px: {len(levels):>2} levels, first {pixels[0]:>6} px,", end=" ")
    print(f"all {sum(pixels):>6} px = {sum(pixels) / pixels[0]:.2f} times the first")

# %%
lesson_02.pyramid_figure(photo, 20)

# %% [markdown]
# **What we saw.** The whole pyramid costs only twice its first level (1 + ½ + ¼ + … = 2). The price is in the *first*
# level, and that is set by the smallest face you look for: from 20 to 40 px, the work falls to a quarter. Remember
# that for section 7.

# %% [markdown]
# ## 2 · What does P-Net see?
#
# It would be slow to cut out every window and ask the network one by one. P-Net has no fully connected layer, only
# convolutions; so you may give it a picture of *any* size, and it answers with a picture: one probability for each
# place of its window. That is how a network looks everywhere at once.
#
# > **Predict first.** A level of the pyramid is 56×56 px. The window has 12 px, and pooling makes it move in steps of
# > 2. How large is the answer? And will a place in it have the same value as the window cut out and shown alone?

# %% tags=["nbval-check-output"]
scale = pyramid(512, 20)[5]  # a face of 112 px fills the window here
pixels = torch.from_numpy(mtcnn_numpy.scaled(lesson_02.level(photo, scale)))[None]
with torch.no_grad():
    shift, probability = mtcnn.pnet(pixels)
    row, column = divmod(int(probability[0, 1].argmax()), probability.shape[3])
    window = pixels[:, :, 2 * row : 2 * row + 12, 2 * column : 2 * column + 12]
    alone = mtcnn.pnet(window)[1]

print("in ", tuple(pixels.shape), "  out", tuple(probability.shape))
print(f"surest place: {probability[0, 1, row, column]:.3f} in the map, {alone[0, 1, 0, 0]:.3f} alone")
print(f"windows on all levels: {sum(level.probability.size for level in maps):,}, passes: {len(maps)}")
print(f"numbers in P-Net: {sum(p.numel() for p in mtcnn.pnet.parameters()):,}")

# %%
lesson_02.maps_figure(photo, [maps[k] for k in (0, 2, 5, 7)])

# %% [markdown]
# **What we saw.** One pass gives all windows of a level, exactly as if each had been cut out. On the level where the
# face is about 12 px high the map has one bright island, where the face is. On the fine levels there are sparks: an
# eye, a badge, small things that look like faces to a network with less than seven thousand numbers. It may err
# there. It must not miss.
#
# A bright place means "a face fills this window, more or less". P-Net also answers with four numbers a place: by how
# much of the window's size each edge should move. That is **bounding box regression**, and by hand it is three lines:

# %%
corner = np.array([column, row]) * 2 + 1
box = np.concatenate([corner, corner + 11]) / scale  # the window, in pixels of the photograph
better = box + shift[0, :, row, column].numpy() * np.tile(box[2:] - box[:2], 2)


def iou(a, b) -> float:
    """Intersection over union: 1 for equal boxes, 0 for boxes apart."""
    width, height = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = max(width, 0) * max(height, 0)
    return shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared)


face = stages[-1].boxes[0]  # what the whole cascade ends with
print(f"overlap with the final box: surest window {iou(box, face):.2f}, moved {iou(better, face):.2f}")

windows = mtcnn_numpy.windows(maps[5], sure=0.6)
liked, moved = windows.boxes, mtcnn_numpy.moved(windows.boxes, windows.offsets)
near = [k for k in range(len(liked)) if iou(liked[k], face) > 0.1]
before, after = (np.mean([iou(boxes[k], face) for k in near]) for boxes in (liked, moved))
print(f"mean over the {len(near)} windows near the face that P-Net likes: {before:.2f}, moved {after:.2f}")

# %%
pulled = {"windows lie on a grid": liked, "moved by regression": moved}
lesson_02.boxes_figure(photo, pulled, "Four numbers a window pull boxes to the face")

# %% [markdown]
# **What we saw.** Windows can only lie on a grid and are all of one size. The regression pulls them together and
# makes them as wide and high as the face; the overlap with the final box grows. But it is still the same face many
# times.

# %% [markdown]
# ## 3 · How do hundreds of boxes become a few?
#
# Keep the surest box. Throw away every box that overlaps with it too much: it shows the same face. Repeat with what
# is left. That is **non-maximum suppression**, and it fits into ten lines:


# %% tags=["nbval-check-output"]
def suppress(boxes: np.ndarray, scores: np.ndarray, limit: float) -> list[int]:
    """Indices of the boxes to keep; of two that overlap by more than `limit`, the surer one."""
    order = list(np.argsort(-scores, kind="stable"))
    keep = []
    while order:
        best = order.pop(0)
        keep.append(int(best))
        order = [other for other in order if iou(boxes[best], boxes[other]) <= limit]
    return keep


from torchvision.ops import nms

boxes, scores = stages[0].boxes, stages[0].scores
by_hand = suppress(boxes, scores, 0.5)
proper = nms(torch.tensor(boxes), torch.tensor(scores), 0.5).tolist()
print("torchvision keeps the same boxes:", by_hand == proper)

# %% [markdown]
# > **Predict first.** The limit is the overlap at which two boxes count as one face. Will a *higher* limit keep more
# > boxes, or fewer?

# %%
print(f"{len(boxes)} boxes from P-Net")
for limit in (0.1, 0.3, 0.5, 0.7, 0.9):
    print(f"limit {limit}: {len(suppress(boxes, scores, limit)):>3} kept")

# Break it: forget to sort, so that the box that happens to come first suppresses its betters.
careless = suppress(boxes, np.zeros(len(boxes)), 0.3)
careful = suppress(boxes, scores, 0.3)
print(f"\nsurest box kept: {scores[careful].max():.5f} with sorting, {scores[careless].max():.5f} without")

# %% [markdown]
# **What we saw.** A higher limit forgives more overlap, so more boxes stay. MTCNN uses 0.5 within a level and 0.7
# between levels: it would rather keep a double than lose one of two people who stand close. Without the sort the
# routine runs, gives boxes, and has thrown away the best one: the bug that nobody notices, because there is always
# *a* box.

# %% [markdown]
# ## 4 · What are R-Net and O-Net for?
#
# P-Net looked at tens of thousands of windows; it had to be small. What it lets through is few enough to be looked at
# more closely: R-Net sees each candidate at 24×24 px, O-Net what is left at 48×48.
#
# > **Predict first.** R-Net has fifteen times as many numbers as P-Net, O-Net nearly sixty times as many. Suppose we
# > threw the first two away and asked O-Net about every window. How long would one photograph take: as long, a
# > minute, an hour?

# %% tags=["nbval-check-output"]
for name, network in {"P-Net": mtcnn.pnet, "R-Net": mtcnn.rnet, "O-Net": mtcnn.onet}.items():
    print(f"{name}: {sum(p.numel() for p in network.parameters()):>7,} numbers")

# %%
every_window = sum(level.probability.size for level in maps)
print(f"windows    {every_window:>6,}")
for stage in stages:
    print(f"{stage.name:<10} {len(stage.boxes):>6,}")

found_boxes, probabilities = mtcnn.detect(photo)
off = np.abs(stages[-1].boxes - found_boxes.astype(float)).max()
print(f"\nthe library's own detect: {len(found_boxes)} face, at most {off:.2f} px from ours")

# %%
from time import process_time

from torchfakes_utils.io.machine import thread_limit


@torch.no_grad()
def seconds(task) -> float:
    """Seconds of one processor core, the best of three runs: other programs hardly spoil that."""
    taken = []
    with thread_limit(1):
        for _ in range(3):
            start = process_time()
            task()
            taken.append(process_time() - start)
    return min(taken)


_, for_r_net = mtcnn_numpy.patches_of(planes, stages[1].boxes, 24)
_, for_o_net = mtcnn_numpy.patches_of(planes, stages[2].boxes, 48)
tasks = {
    "P-Net": (every_window, lambda: mtcnn_numpy.level_maps(planes, networks.pnet, 20)),
    "R-Net": (len(for_r_net), lambda: networks.rnet(for_r_net)),
    "O-Net": (len(for_o_net), lambda: networks.onet(for_o_net)),
}
for name, (asked, task) in tasks.items():
    each = seconds(task) / asked
    print(f"{name}: asked {asked:>6,} times, {each * 1e6:>6.1f} µs each;", end=" ")
    print(f"all windows would take {each * every_window:5.2f} s")

# %% [markdown]
# What did R-Net refuse? Here are the candidates as it sees them, enlarged: above those of which P-Net was surest and
# which R-Net threw out, below those that it kept.

# %%
candidates = stages[1]
_, seen = mtcnn_numpy.patches_of(planes, candidates.boxes, 24)
opinion, _ = networks.rnet(seen)

refused = [k for k in np.argsort(-candidates.scores) if opinion[k] < 0.7][:5]
kept = np.argsort(-opinion)[:5]
chosen = [*refused, *kept]
pictures = [np.rint(128 * seen[k].transpose(1, 2, 0) + 127.5).astype(np.uint8) for k in chosen]
words = [f"P {candidates.scores[k]:.2f}, R {opinion[k]:.2f}" for k in chosen]
plots.images(pictures, words, columns=5, title="R-Net throws out what is only a part of a face")

# %% [markdown]
# Now turn the knobs. Each network has a threshold: how sure it must be to let a box pass. What happens to the others
# when you open the first gate wide? How far can you open the last one before a helmet becomes a face?

# %%
from torchfakes_utils.course import widgets


def melt(p_net, r_net, o_net):
    passed = lesson_02.cascade_stages(networks, photo, maps, (p_net, r_net, o_net))
    title = f"What passes at {p_net:.2f}, {r_net:.2f} and {o_net:.2f}"
    return lesson_02.melting_figure(photo, passed, title)


widgets.explore(
    melt,
    labels={"p_net": "P-Net lets pass from", "r_net": "R-Net", "o_net": "O-Net"},
    p_net=(0.3, 0.99, 0.01, 0.6),
    r_net=(0.1, 0.99, 0.01, 0.7),
    o_net=(0.05, 0.99, 0.01, 0.7),
)

# %%
wide_open = lesson_02.cascade_stages(networks, photo, maps, (0.3, 0.1, 0.05))
lesson_02.melting_figure(photo, wide_open[2:], "All gates open: hair, badges and folds are faces")

# %% [markdown]
# **What we saw.** P-Net answers for a microsecond or two a window, since neighbouring windows share their work; O-Net
# needs many hundred times as long. Asked about every window it would take about a minute for one photograph. So the
# cheap network looks everywhere and refuses almost everything, and the expensive one is asked about a handful: that
# bargain is the cascade. The first gate may stand wide open, as long as the last one is strict; with all three open,
# hair, badges and folds become faces.

# %% [markdown]
# ## 5 · Which face is the person?
#
# One clip of Mini-FF++ has a second person in it. Somebody has to decide whose face goes into the data set. Three
# rules come to mind: the face of which the detector is **surest**, the **biggest** one, or the one that is
# **followed** through the clip.
#
# > **Predict first.** The bystander is smaller and stands still at the edge. For four frames we shall hold a hand
# > before the other face. Which rules fail, and where?

# %%
from torchfakes_utils.datasets import faceforensics
from torchfakes_utils.faces.detection import FaceDetector, square_crop
from torchfakes_utils.faces.thumbnails import thumbnail
from torchfakes_utils.faces.tracking import follow, track_face
from torchfakes_utils.io.video import read_frames

root = course.ensure("mini")
clips = faceforensics.index(root)
detector = FaceDetector()  # MTCNN with this package's settings


def watch(trait: str, compression: str):
    """Frames of the clip with a certain trait, and the faces in them."""
    clip = lesson_02.example(root, clips, trait)
    _, frames = read_frames(root / f"original_sequences/youtube/{compression}/videos/{clip}.mp4", count=48)
    return frames, detector.detect(frames)


frames, found = watch("second_face", clips["compression"].max())
lesson_02.frames_figure(frames, found, [0, 11, 16, 30], "Two people in one film")


# %%
def biggest(faces):
    areas = np.prod(faces.boxes[:, 2:] - faces.boxes[:, :2], axis=1)
    return int(areas.argmax()) if len(faces) else None


def surest(faces):
    return 0 if len(faces) else None  # `detect` gives the surest first


# A hand before the big face, in four frames; then the detector looks again.
hidden = frames.copy()
for n in range(20, 24):
    x1, y1, x2, y2 = found[n].boxes[biggest(found[n])].clip(0).astype(int)
    hidden[n, y1:y2, x1:x2] = (150, 110, 90)
found = detector.detect(hidden)
lesson_02.frames_figure(hidden, found, [18, 20, 22, 26], "For four frames, only the bystander has a face")


# %%
def places(chosen):
    """Where the chosen face's middle is, across the frame."""
    return [None if k is None else float(found[n].boxes[k, [0, 2]].mean()) for n, k in enumerate(chosen)]


where = {
    "the surest": places(map(surest, found)),
    "the biggest": places(map(biggest, found)),
    "follow()": places(follow(found)),
}
for name, x in where.items():
    steps = np.abs(np.diff([place for place in x if place is not None]))
    jumps = int((steps > 50).sum())
    print(f"{name:<12} a face in {len(steps) + 1} of {len(x)} frames, jumps of more than 50 px: {jumps}")

# %%
lesson_02.choices_figure(where, "Two rules end up with the bystander; following does not")

# %% [markdown]
# **What we saw.** "The surest" jumps to and fro: the bystander's small, clean face often convinces the detector more
# than the bent, compressed one that the film is about. "The biggest" is right, until the big face is missed for a few
# frames; then, without a word, the bystander is the biggest, and ends up in the data set under another person's number
# and label. (Here we hid it. A turned head, a flash or heavy compression do the same.) `follow` links each face to the
# nearest one seen before, keeps the track that is largest and surest over the *whole* clip, and in the frames in which
# that face is lost it gives **no face** instead of a wrong one.
#
# No face is a better answer than a wrong one. But here the face was not gone: we know where it was before and after.
# `track_face` fills a short gap in proportion, on one condition: the picture at that place has to *look* like the face
# next to the gap.
#
# > **Predict first.** Behind the hand there is no face to be seen. And if we take the hand away again, but pretend that
# > the detector missed the same four frames? What will `track_face` do in each case?


# %%
def track(pictures, detections):
    """How each frame's face was come by: "d" detected, "i" interpolated, "." none."""
    thumbnails = [thumbnail(picture) for picture in pictures]  # small grey copies, to compare with
    face = track_face(np.arange(len(pictures)), detections, thumbnails, pictures[0].shape[:2])
    how = dict(zip(face.frames.tolist(), face.found, strict=True))
    return "".join(how.get(n, ".")[0] for n in range(len(pictures)))


print("a hand before the face:", track(hidden, found))
print("missed by the detector:", track(frames, found))

# %% [markdown]
# **What we saw.** The same four frames, the same detections. In the first row the gap stays open, because a hand does
# not look like a face. In the second it is filled, and each of these crops is marked `interpolated` in the table, so
# that whoever does not trust them can leave them out.
#
# The next clip shows the same from the other side: for a while there is nobody.

# %%
frames, found = watch("leaves", clips["compression"].min())
print("faces a frame:", "".join(str(len(faces)) for faces in found))
print("followed:     ", "".join("." if k is None else "x" for k in follow(found)))
some = np.linspace(0, len(frames) - 1, 4).astype(int)
lesson_02.frames_figure(frames, found, some, "Frames without a face are part of life", landmarks=True)

# %% [markdown]
# (The dots are O-Net's landmarks: eyes, nose, corners of the mouth. We come to them in section 6.)
#
# **Break it.** This is what ended the team's run after three hours. facenet-pytorch's own shortcut, one call that
# detects *and* chooses *and* cuts, takes a batch of frames. Give it one in which some frames have no face:

# %%
order = np.argsort([len(faces) for faces in found], kind="stable")
mixed = frames[[*order[:2], *order[-2:]]]  # two frames with the fewest faces, two with the most
try:
    MTCNN(keep_all=False)(mixed)
    print("no trouble this time")
except ValueError as error:
    print(type(error).__name__, "-", str(error).split(".")[0])
print("FaceDetector:", [len(faces) for faces in detector.detect(mixed)])

# %% [markdown]
# Boxes of frames with and without a face do not stack into one array. `FaceDetector.detect` never fails on a frame
# without a face: it answers with an empty list of boxes, and the frame is left out.

# %% [markdown]
# ## 6 · How much round the face?
#
# O-Net's box ends at the chin and on the forehead. But a forger's seam runs *along* the chin and the hairline. So the
# field cuts a square whose edge is 1.3 times the longer side of the box. By hand:


# %% tags=["nbval-check-output"]
def square(box, scale=1.3):
    """x1, y1, x2, y2 of the square to cut out, on whole pixels."""
    x1, y1, x2, y2 = box
    edge = round(scale * max(x2 - x1, y2 - y1))
    left, top = round((x1 + x2 - edge) / 2), round((y1 + y2 - edge) / 2)
    return left, top, left + edge, top + edge


for example in ([100, 60, 180, 160], [10, 20, 90, 140]):
    crop, cut = square_crop(photo, example, scale=1.3, size=160)
    print(example, "->", square(example), "the same as square_crop:", cut == square(example), crop.shape)

# %% [markdown]
# The second square begins at x = -28, outside the picture. `square_crop` repeats the outermost pixels there. Black
# bars would be a clue to where a face was; mirroring would give it a second ear.
#
# > **Predict first.** facenet-pytorch cuts crops as well, with a `margin`. The box is higher than wide, the crop is
# > square. What happens to the face?

# %%
from facenet_pytorch.models.utils.detect_face import extract_face
from PIL import Image

with_face = [k for k, chosen in enumerate(follow(found)) if chosen is not None]
widest = max(with_face, key=lambda k: found[k].boxes[0, 2])  # the head is about to leave the picture
frame, faces = frames[with_face[0]], found[with_face[0]]
box = faces.boxes[0]
theirs = extract_face(Image.fromarray(frame), box, 160, 40).permute(1, 2, 0).numpy().astype(np.uint8)
crops = [square_crop(frame, box, scale)[0] for scale in (1.0, 1.3, 2.0)]
crops += [theirs, square_crop(frames[widest], found[widest].boxes[0])[0]]
words = ["scale 1.0", "scale 1.3 (ours)", "scale 2.0", "margin=40: stretched", "1.3, at the edge"]
plots.images(crops, words, title="1.3 keeps chin and hairline, and the shape of the face")

# %%
width, height = box[2:] - box[:2]
print(f"box {width:.0f} x {height:.0f} px: stretched to a square, the face is {height / width:.2f} times as wide")
names = ["left eye", "right eye", "nose", "left mouth corner", "right mouth corner"]
points = faces.landmarks[0]
for name, (x, y) in zip(names, points, strict=True):
    print(f"{name:<20} x {x:5.1f}   y {y:5.1f}")
(dx, dy) = points[1] - points[0]
print(f"the head is tilted by {np.degrees(np.arctan2(dy, dx)):.1f} degrees")

# %% [markdown]
# **What we saw.** At 1.0 the chin is at the edge, at 2.0 much of the picture is wall and uniform. `margin` is counted
# in pixels of the *output*, and the box is stretched to a square, so a face gets wider the higher its box is. No
# disaster by itself. The disaster is to train with one crop and predict with another: the network meets faces of a
# shape it has never seen. Here extraction and prediction call the same `square_crop`, and the scale is stored with
# the weights.
#
# The five landmarks come for free. Lesson 07 uses them to name the regions of a face that a detector looks at.

# %% [markdown]
# ## 7 · What does looking cost?
#
# FF++ in one compression has six thousand clips. At 32 frames a clip that makes 192,000 frames.
#
# > **Predict first.** A frame of 720 lines takes how long: a hundredth, a tenth, or a whole second? And how much is
# > saved if you look for faces from 160 px instead of 20?

# %%
import cv2


def windows(lines: int, min_face: int) -> int:
    """How many windows P-Net looks at in a square frame."""
    return sum(int((int(lines * scale + 1) - 12) // 2 + 1) ** 2 for scale in pyramid(lines, min_face))


large = cv2.resize(photo, (720, 720), interpolation=cv2.INTER_CUBIC)
sizes, times = [20, 40, 80, 160], []
for size in sizes:
    mtcnn.min_face_size = size
    times.append(seconds(lambda: mtcnn.detect(large)))
    print(f"min_face_size {size:>3}: {windows(720, size):>6,} windows, {times[-1]:.3f} s")

# %%
from matplotlib import pyplot as plt

figure, ax = plt.subplots(figsize=(5.6, 3.0))
ax.plot(sizes, times, "o-", color=plots.NEUTRAL)
for size, taken in zip(sizes, times, strict=True):
    ax.annotate(f"  {taken:.2f} s: {taken * 192_000 / 3600:.1f} h for FF++", (size, taken), fontsize=9)
ax.set(xlabel="min_face_size, px", ylabel="core seconds a frame", xscale="log", yscale="log")
ax.set(xlim=(17, 700), yticks=[], yticklabels=[])
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.set_title("Small faces are dear: a frame of 720 lines, one core")
plots.finish(figure)

# %% [markdown]
# The other way to save: do not show the detector the full frame. A face that fills a fifth of the picture does not
# get easier to find by having more pixels. Detect on a smaller copy, then cut out of the *full* frame.

# %%
mtcnn.min_face_size, reference = 20, face
for lines in (720, 480, 240, 120):
    copy = cv2.resize(large, (lines, lines), interpolation=cv2.INTER_AREA)
    taken = seconds(lambda copy=copy: mtcnn.detect(copy))
    box = mtcnn.detect(copy)[0][0].astype(float) * 720 / lines  # back in pixels of the full frame
    reference = box if lines == 720 else reference
    print(f"{lines:>3} lines: {windows(lines, 20):>6,} windows, {taken:.3f} s,", end=" ")
    print(f"faces from {20 * 720 // lines:>3} px, overlap with the box at 720: {iou(box, reference):.2f}")

# %% [markdown]
# **What we saw.** Detection is not free: with the library's smallest face and full frames, hours go by before the
# training begins. The windows fall to a quarter with each step; the time falls too, but less, since the frame has to
# be shrunk and R-Net and O-Net have to be asked whatever P-Net costs. Both knobs turn the same screw: a third of the
# lines is about as good as three times the smallest face. The box moves by a few pixels, and the face is still found.
# So `extract` looks for faces from 15 % of the frame's shorter side, and shrinks the frame until such a face is 36 px
# high: 240 lines. The knob has a price: what is smaller than the smallest face does not exist. For a crowd, or a
# surveillance camera, 15 % would be wrong.
#
# ### The cheapest detection is the one you do not make
#
# A fake shows its original's frames, with something else in the face's place. So the original's boxes will do for all
# its fakes. Whether the frames do correspond, a comparison of the surroundings tells, which costs next to nothing.
# Let us add up what each idea brings, for one film and its four fakes, as if they had 720 lines.
#
# > **Predict first.** No small faces, fewer lines, sixteen frames at once, one detection for five films: which of the
# > four saves most?

# %%
films = lesson_02.one_set(root, clips, frames=6)  # the real film and its fakes, 6 frames of each, 720 lines
ladder = lesson_02.speed_ups(films)
lesson_02.speed_figure(ladder, "Each idea takes its share of the work")

# %%
whole = ladder["seconds"].iloc[0] / ladder["seconds"]
ladder.assign(times=whole.round(1), overlap=ladder["overlap"].round(2)).round({"seconds": 2})

# %% [markdown]
# **What we saw.** Read the table from row to row: each line is one idea more. The column `overlap` is the price: how
# well the crop still lies on the one that the slow loop cuts (1 is the very same square); `lost` are faces that the
# loop finds and this row does not.
#
# This is detection alone. With decoding, cutting and writing, at 1280×720 and with 32 frames a film, the whole of
# `torchfakes extract` came out 17 times as fast as the usual loop, on two cores:
# [docs/benchmarks/extraction.md](../docs/benchmarks/extraction.md) has the table, and the command to measure it on
# *your* films.

# %% [markdown]
# ## 8 · May a crop give away what it is?
#
# There is a better reason to cut an original and its fakes by the same box. Suppose that someone finds the faces of
# the two classes in two different ways: other detectors, other margins, or just a detector that likes a forged face a
# little larger.
#
# > **Predict first.** We take *real* crops only, each twice: as it is, and cut a little wider, which we call "fake".
# > How well can a ruler, which measures the distance between the eyes, tell the two? How much wider does it take?

# %%
from sklearn.metrics import roc_auc_score

real = course.faces_table().query("label == 0")
points = np.array([list(map(float, text.split())) for text in real["landmarks"]]).reshape(-1, 5, 2)
eyes = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)  # px of a crop of 160
called_fake = np.repeat([0, 1], len(eyes))
for scale in (1.3, 1.35, 1.4, 1.5, 1.6):
    ruler = np.concatenate([eyes, eyes * 1.3 / scale])  # a wider crop shows a smaller face
    print(f"'fakes' cut at {scale:.2f} times the box: AUC of the ruler {roc_auc_score(called_fake, -ruler):.2f}")

# %% [markdown]
# **What we saw.** Not one face is forged, everybody is in both classes, and still the ruler's score climbs from a
# coin's to one that others publish. (An AUC is the share of pairs, one of each class, that are put in the right order;
# lesson 06.) A ruler is the simplest of all networks. A real one finds such a difference before it finds anything else,
# and it sees the hairline, too.
#
# So: *whatever happens to real and fake must be the same thing*. Same detector, same box, same margin, same file
# format. With `extract` a fake takes the box of its original, and the column `found` says so: `reused`. Where the
# frames do not correspond, it is found afresh, and the column says `detected`.

# %% [markdown]
# ## 9 · How do you do a whole folder?
#
# A real folder has surprises. We make one with three: a good clip with one of its fakes, the clip whose person leaves,
# and a text file that calls itself `.mp4` (a download that failed leaves such files behind).
#
# > **Predict first.** Five frames a clip are asked for. How many crops will there be, and what becomes of the text
# > file?

# %%
import shutil
import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp())
shutil.copytree(root / "splits", folder / "splits")
videos = folder / "original_sequences" / "youtube" / "c23" / "videos"
videos.mkdir(parents=True)
leaving = lesson_02.example(root, clips, "leaves")
good, broken = [person for person in sorted(set(clips["target_id"])) if person != leaving][:2]
for person in (good, leaving):
    shutil.copy(root / f"original_sequences/youtube/{clips['compression'].min()}/videos/{person}.mp4", videos)
fake = clips[(clips["original_id"] == good) & (clips["compression"] == clips["compression"].min())].iloc[0]
forged = folder / "manipulated_sequences" / fake["method"] / "c23" / "videos"
forged.mkdir(parents=True)
shutil.copy(root / fake["path"], forged)
(videos / f"{broken}.mp4").write_text("<html>404 Not Found</html>")
faceforensics.write_clips(folder)
print(sorted(path.name for path in folder.rglob("*.mp4")))

# %%
from torchfakes_utils.faces import extraction
from torchfakes_utils.faces.config import ExtractionConfig

config = ExtractionConfig(frames=5)
report = extraction.extract_faces(folder, folder / "faces", config, progress=False)
print(f"{report.clips} clips, {report.faces} faces, {report.failures} failed, {report.seconds:.1f} s")
again = extraction.extract_faces(folder, folder / "faces", config, progress=False)
print(f"{again.clips} clips, {again.faces} faces, {again.failures} failed, {again.seconds:.1f} s")

# %%
from torchfakes_utils.crops.table import load_faces

cut = load_faces(folder / "faces" / "faces.csv")
shown = cut.groupby("clip_id").tail(3)
words = [f"{clip}, frame {number}" for clip, number in zip(shown["clip_id"], shown["frame"], strict=True)]
plots.images([plots.face(file) for file in shown["file"]], words, columns=3, labels=shown["label"].tolist())

# %%
cut[["clip_id", "frame", "x1", "y1", "x2", "y2", "probability", "sharpness", "found"]].round(2)

# %% tags=["nbval-check-output"]
from torchfakes_utils.io.tables import FAILURE_COLUMNS, read_table

for failure in read_table(folder / "faces" / "failures.csv", FAILURE_COLUMNS).to_dict("records"):
    print(f"{failure['clip_id']}: {failure['reason']}")
shutil.rmtree(folder)

# %% [markdown]
# **What we saw.** The good clip gives five crops, and its fake the same five squares, `reused`. The one whose person
# leaves gives fewer, and the missing frames are just not there. The text file is a row in `failures.csv`, with its
# reason, and the rest was done: nothing disappears silently, nothing ends the night's run. The second call took next
# to no time, since each finished clip is remembered; after a power cut, start the same command again, and the tables
# come out as if nothing had happened.
#
# For a real folder, in a terminal: `torchfakes extract data/ffpp --out data/ffpp-faces`. On a large machine add
# `--workers 4`; with many machines, start a dask scheduler and workers that all see the two folders, and give its
# address: `--scheduler tcp://…:8786`. A worker that dies costs the few clips that it had in hand, and they are done
# again by another. Teachers: `TORCHFAKES_DATA=data/ffpp make lab` runs this very lesson on the real films.

# %% [markdown]
# ## Exercises
#
# Exercises with checks come with a later edition; until then, try:
#
# 1. In `suppress`, measure overlap as a share of the *smaller* box instead of the union. What happens to a small box
#    inside a large one? (O-Net's last suppression does it this way. Why there?)
# 2. Take the steps of the first figure (`planes`, `level_maps`, `cascade_stages`) with another photograph,
#    `skimage.data.coffee()`, which shows nobody. Which stage says no?
# 3. In section 5, let `biggest` remember the last box, and choose the biggest among those that overlap with it. When
#    does this still jump, and `follow` does not?
#
# **Open challenge.** Find a face that MTCNN misses and you do not: in profile, behind a mask, upside down, in a
# painting, far away. Which of the three networks refuses it? You got somewhere if you can say which one change of the
# picture brings it back.

# %% [markdown]
# ## Misconceptions
#
# - *"The biggest box is the person."* Until the person is missed for one frame; then the biggest box is somebody
#   else, and nothing warns you.
# - *"The surest box is the best face."* A probability says how much like a face it looks, not whose it is.
# - *"Detection is free."* On a real data set it costs hours; smallest face and resolution decide how many.
# - *"A frame without a face is an error."* It is a fact. An error is to make up a face for it, or a score.
# - *"How I crop is a detail."* If it differs between the classes, it is the easiest thing there is to learn.

# %% [markdown]
# ## Recap
#
# - An image pyramid lets a window of 12 px find faces of every size; the smallest size sets the price.
# - A convolutional network slides for free: its answer is a map. Regression moves the windows, suppression removes
#   doubles.
# - A cascade is cheap because its first network refuses nearly everything.
# - Follow one face through the clip; fill a gap only where the face can be seen, and mark it.
# - Show the detector small frames, many at once, and each film once: the fakes take their original's boxes.
# - One way to cut (`square_crop`, 1.3), for real and fake, for training and prediction; failures are rows, not
#   exceptions.
#
# ## Next
#
# [03 · Sharp enough?](03_sharp_enough.ipynb): some of these crops are blurred. What does a blurred face lack, and may
# you throw it away?
#
# ## Sources
#
# - K. Zhang, Z. Zhang, Z. Li, Y. Qiao: *Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
#   Networks*. IEEE Signal Processing Letters, 2016.
# - T. Esler: [facenet-pytorch](https://github.com/timesler/facenet-pytorch), version 2.5.3, whose networks and
#   weights are used here.
# - P. Viola, M. Jones: *Rapid Object Detection using a Boosted Cascade of Simple Features*. CVPR 2001 (the idea of a
#   cascade).
# - P. Sermanet et al.: *OverFeat: Integrated Recognition, Localization and Detection using Convolutional Networks*.
#   ICLR 2014 (sliding for free).
# - A. Rössler et al.: *FaceForensics++*. ICCV 2019 (the crop of 1.3).
