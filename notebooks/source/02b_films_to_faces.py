# ---
# jupyter:
#   torchfakes:
#     needs: [mini, faces]
# ---

# %% [markdown]
# # 02b · From films to faces
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/v0.1.0/notebooks/02b_films_to_faces.ipynb)
#
# **In this lesson you turn a folder of films into a folder of faces, without losing anybody and without giving away who
# is fake.**
#
# - **You will be able to** follow one person through a clip, cut a face so that training and prediction see the same,
#   choose what detection may cost, and test whether a crop gives away its label.
# - **You need** the idea of a box and of intersection over union, from lesson 02.
# - **Time:** about 25 min to read, 25 min of exercises, 20 s to run on two CPU cores.
#
# The bootcamp team's loop ran for three hours, and died in a film in which somebody looked away. They wrapped it in
# `try` and started again. It ended, and the folder was full. They never learnt that some of the crops showed the wrong
# person.

# %%
import importlib.util
import sys

if "google.colab" in sys.modules and importlib.util.find_spec("torchfakes_utils") is None:  # elsewhere: `make setup`
    import subprocess

    package = "torchfakes @ git+https://github.com/torchfakes/torchfakes@v0.1.0"  # or a wheel that you have uploaded
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", package], check=True)

from torchfakes_utils import course
from torchfakes_utils.course import plots

course.begin()  # run this cell first, and again whenever the kernel was restarted

# %% [markdown]
# ## 1 · Which face is the person?
#
# One clip of Mini-FF++, the course's practice data, has a second person in it. Somebody has to decide whose face goes
# into the data set.

# %%
import numpy as np

from torchfakes_utils.course import lesson_02b, lesson_02b_films
from torchfakes_utils.course.lesson_02 import iou
from torchfakes_utils.datasets import faceforensics
from torchfakes_utils.faces.detection import FaceDetector, square_crop
from torchfakes_utils.faces.tracking import follow
from torchfakes_utils.io.video import read_frames

root = course.ensure("mini")
clips = faceforensics.index(root)
detector = FaceDetector()  # MTCNN with this package's settings


def watch(trait: str, compression: str):
    """Frames of the clip with a certain trait, and the faces in them, the surest first."""
    clip = lesson_02b_films.example(root, clips, trait)
    _, frames = read_frames(root / f"original_sequences/youtube/{compression}/videos/{clip}.mp4", count=48)
    return frames, detector.detect(frames)


frames, found = watch("second_face", clips["compression"].max())
print(f"{len(frames)} frames, faces found in them: {sum(map(len, found))}")

# %% [markdown]
# Two rules come to mind: take the face of which the detector is **surest**, or the **biggest** one.
#
# The bystander is smaller and stands still at the edge. For four frames we cover the other face with a brown rectangle.
# A turned head, a flash or heavy compression do the same: the detector misses a face that is there.


# %%
def biggest(faces):
    areas = np.prod(faces.boxes[:, 2:] - faces.boxes[:, :2], axis=1)
    return int(areas.argmax()) if len(faces) else None


def surest(faces):
    return 0 if len(faces) else None


covered = frames.copy()
for n in range(20, 24):
    x1, y1, x2, y2 = found[n].boxes[biggest(found[n])].clip(0).astype(int)
    covered[n, y1:y2, x1:x2] = (150, 110, 90)
seen = detector.detect(covered)
lesson_02b_films.frames_figure(covered, seen, [18, 20, 26], "In some frames, only the bystander has a face")

# %%
guess_rules = course.predict(
    "Which rule jumps to the bystander?", options=["the surest", "the biggest", "both", "neither"]
)

# %% [markdown]
# There is a third rule: a face does not fly through the room. In the next frame it is near the place where it was.
#
# ### Your turn · Follow one face
#
# *10 min, difficulty 2 of 3.* You get the boxes of each frame, a list of arrays (K, 4). K may be 0. Give for each frame
# the number of the followed face's box, or None.
#
# - Begin with the biggest box of the first frame that has one.
# - In each later frame take the box whose `iou` with the **last known** box is largest.
# - If that overlap is less than `least`, the face is not there: None. Go on looking for the last known box.
#
# `iou(a, b)` is that of lesson 02. An example: three frames have the boxes `[[0, 0, 4, 4], [10, 0, 16, 6]]`, then
# `[[11, 0, 17, 6]]`, then `[[0, 0, 4, 4]]`. The answer is [1, 0, None].


# %%
def follow_one(film: list[np.ndarray], least: float = 0.3) -> list[int | None]:
    """The number of the followed face's box in each frame; None where it is not seen."""
    # your code here


course.check(lesson_02b.FOLLOW, follow_one)
follow_one = course.yours(lesson_02b.FOLLOW, follow_one)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def follow_one(film, least=0.3):
#     last, chosen = None, []
#     for boxes in film:
#         best = None
#         if len(boxes) and last is None:
#             best = int(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).argmax())
#         elif len(boxes):
#             overlaps = [iou(box, last) for box in boxes]
#             if max(overlaps) >= least:
#                 best = int(np.argmax(overlaps))
#         if best is not None:
#             last = boxes[best]
#         chosen.append(best)
#     return chosen
# ```
#
# </details>


# %%
def places(chosen):
    """Where the middle of the chosen face is, across the frame."""
    return [None if k is None else float(seen[n].boxes[k, [0, 2]].mean()) for n, k in enumerate(chosen)]


where = {
    "the surest": places(map(surest, seen)),
    "the biggest": places(map(biggest, seen)),
    "follow_one": places(follow_one([faces.boxes for faces in seen])),
}
jumps = {}
for name, x in where.items():
    steps = np.abs(np.diff([place for place in x if place is not None]))
    jumps[name] = int((steps > 50).sum())
    print(f"{name:<12} a face in {len(steps) + 1} of {len(x)} frames, {jumps[name]} jumps of more than 50 px")

wrong = [name for name in ("the surest", "the biggest") if jumps[name]]
guess_rules.answer("both" if len(wrong) == 2 else [*wrong, "neither"][0])

# %%
lesson_02b_films.choices_figure(where, "Two rules end up with the bystander; following does not")

# %% [markdown]
# **What we saw.** The figure shows where the chosen face is, frame by frame. "The surest" jumps
# {= jumps["the surest"] =} times: the detector is often surer of the bystander's small, clean face.
# <!-- holds: jumps["the surest"] > 2 -->
# "The biggest" is right, until the big face is missed. Then, without a word, the bystander is the biggest, and ends up
# in the data set under another person's number and label. <!-- holds: jumps["the biggest"] > 0 -->
# `follow_one` does not jump, and in the frames in which its face is lost it gives **no face** instead of a wrong one.
# <!-- holds: jumps["follow_one"] == 0 and None in where["follow_one"] -->
#
# It has one weakness. If the bystander is the biggest in the very first frame, it follows the wrong person to the end.
# The package's own `follow` links *all* faces through the clip, and keeps the one that is large and sure over the whole
# clip.
#
# No face is better than a wrong one. But often the face was there, and we know where it was before and after.
# `track_face` fills a short gap, on one condition: the picture at that place has to *look* like the face beside the
# gap. Below are the same detections twice: once with the covered frames, once with the frames as they were.

# %%
from torchfakes_utils.faces.thumbnails import thumbnail
from torchfakes_utils.faces.tracking import track_face


def track(pictures, detections):
    """Where each frame's face comes from: "d" detected, "i" interpolated, "." none."""
    thumbnails = [thumbnail(picture) for picture in pictures]  # small grey copies, to compare with
    face = track_face(np.arange(len(pictures)), detections, thumbnails, pictures[0].shape[:2])
    how = dict(zip(face.frames.tolist(), face.found, strict=True))
    return "".join(how.get(n, ".")[0] for n in range(len(pictures)))


with_cover, without_cover = track(covered, seen), track(frames, seen)
print(f"{'the face is covered:':<32}{with_cover}")
print(f"{'it is there, but was not found:':<32}{without_cover}")

# %% [markdown]
# In the first row the gap stays open, because a brown rectangle does not look like a face.
# <!-- holds: with_cover[20:24] == "...." -->
# In the second row it is filled. <!-- holds: without_cover[20:24] == "iiii" -->
# Each of these crops is marked `interpolated` in the table, so that you can leave them out.
#
# The next clip shows the other side: for a while there is nobody.

# %%
frames, found = watch("leaves", clips["compression"].min())
lesson_02b_films.frames_figure(frames, found, [0, 28, 47], "A frame without a face is a fact, and no error")

# %% [markdown]
# **Break it.** This is what ended the team's run after three hours. facenet-pytorch has one call that detects *and*
# chooses *and* cuts. Give it frames of which some have no face:

# %%
from facenet_pytorch import MTCNN

order = np.argsort([len(faces) for faces in found], kind="stable")
mixed = frames[[*order[:2], *order[-2:]]]  # two frames with the fewest faces, two with the most
try:
    MTCNN(keep_all=False)(mixed)
    print("no trouble this time")
except ValueError as error:
    print(type(error).__name__, "-", str(error).split(".")[0])
print("FaceDetector:", [len(faces) for faces in detector.detect(mixed)], "faces")

# %% [markdown]
# Boxes of frames with and without a face do not stack into one array. `FaceDetector.detect` answers with an empty list
# of boxes for a frame without a face, and goes on.

# %% [markdown]
# ## 2 · How much round the face?
#
# MTCNN's box ends at the chin and on the forehead. But a forger's seam runs *along* the chin and the hairline. So the
# field cuts a square whose edge is 1.3 times the longer side of the box.
#
# ### Your turn · The square to cut out
#
# *5 min, difficulty 1 of 3.* Give x1, y1, x2, y2 of that square, on whole pixels. It lies over the box's middle. For
# the box (100, 60, 180, 160) the answer is (75, 45, 205, 175). It may reach out of the picture. Both sides stay equal;
# how halves are rounded does not matter.


# %%
def square(box, scale: float = 1.3) -> tuple[int, int, int, int]:
    """x1, y1, x2, y2 of the square to cut out, on whole pixels."""
    # your code here


course.check(lesson_02b.SQUARE, square)
square = course.yours(lesson_02b.SQUARE, square)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def square(box, scale=1.3):
#     x1, y1, x2, y2 = box
#     edge = round(scale * max(x2 - x1, y2 - y1))
#     left, top = round((x1 + x2 - edge) / 2), round((y1 + y2 - edge) / 2)
#     return left, top, left + edge, top + edge
# ```
#
# </details>


# %%
def slimness(n):
    """How high the box in a frame is for its width; 0 where it is near the picture's edge."""
    x1, y1, x2, y2 = found[n].boxes[0]
    return (y2 - y1) / (x2 - x1) if x1 > 40 and x2 < frames.shape[2] - 40 else 0


with_face = [n for n, k in enumerate(follow(found)) if k is not None]
n = max(with_face, key=slimness)
frame, box, points = frames[n], found[n].boxes[0], found[n].landmarks[0]
at_edge = max(with_face, key=lambda n: found[n].boxes[0, 2])  # the head is about to leave the picture

crops = [square_crop(frame, box, scale)[0] for scale in (1.0, 1.3, 2.0)]
crops.append(square_crop(frames[at_edge], found[at_edge].boxes[0])[0])
words = ["scale 1.0", "scale 1.3 (ours)", "scale 2.0", "1.3, at the picture's edge"]
plots.images(crops, words, title="1.3 keeps the chin and what lies above the forehead", inches=1.72)

# %% [markdown]
# At 1.0 the chin is at the edge. At 2.0 much of the picture is wall and uniform. The last square reaches out of the
# picture, and `square_crop` repeats the outermost pixels there. Black bars would be a clue to where a face was.
#
# facenet-pytorch cuts crops as well, with a `margin`. Its box is higher than wide, and the crop is square.

# %%
guess_stretch = course.predict("How many times as wide does the face become in that crop?", 1.0, 2.0, step=0.05)

# %%
crop, cut = square_crop(frame, box)
own = (points - cut[:2]) / (cut[2] - cut[0]) * 160  # landmarks, in pixels of the crop
theirs, moved = lesson_02b_films.with_margin(frame, box, points, margin=40)
stretch = lesson_02b_films.shape_of(moved) / lesson_02b_films.shape_of(own)
guess_stretch.answer(stretch)
pair = {"square_crop, 1.3": (crop, own), "facenet-pytorch, margin=40": (theirs, moved)}
lesson_02b_films.stretch_figure(pair, f"The same face, {stretch:.2f} times as wide")

# %% [markdown]
# **What we saw.** The lines in the figure measure the distance of the eyes, and that from eyes to mouth. On the right
# the face is {= stretch : .2f =} times as wide for its height. <!-- holds: stretch > 1.1 -->
# That alone is no disaster. The disaster is to train with one crop and predict with another: the network meets faces of
# a shape that it has never seen. Here extraction and prediction call the same `square_crop`, and the scale is stored
# with the weights.

# %% [markdown]
# ## 3 · What does looking cost?
#
# FF++ in one compression has six thousand clips. With 32 frames per clip, that makes 192,000 frames. In lesson 02 we
# saw that the smallest face sets the price. Here is what that means for a frame of 720 lines. The times are those of
# one processor core, and the sizes are measured in turns.

# %%
import cv2
import skimage

from torchfakes_utils.course.lesson_02_cascade import core_seconds

large = cv2.resize(skimage.data.astronaut(), (720, 720), interpolation=cv2.INTER_CUBIC)
sizes = [20, 40, 80, 160]
detectors = {size: MTCNN(keep_all=True, min_face_size=size) for size in sizes}
taken = core_seconds({size: lambda size=size: detectors[size].detect(large) for size in sizes})
for size in sizes:
    print(f"faces from {size:>3} px: {lesson_02b_films.windows(720, size):>6,} windows, {taken[size]:.3f} s")
lesson_02b_films.cost_figure(sizes, [taken[size] for size in sizes], frames=192_000)

# %% [markdown]
# With each step, the windows fall to a quarter or less. The time falls, too, but not as much: the frame has to be made
# smaller, and R-Net and O-Net have to be asked, whatever P-Net costs.
# <!-- holds: taken[20] > taken[40] > taken[80] > taken[160] > taken[20] / 64 -->
# For all of FF++, the bars stand for {= taken[20] * 192_000 / 3600 : .0f =} hours with faces from 20 px, and
# {= taken[160] * 192_000 / 3600 : .1f =} hours with faces from 160 px.
#
# There is a second way to save: show the detector a smaller copy, then cut out of the *full* frame. To look for faces
# from 160 px in 720 lines is the same as to look for faces from 53 px in 240 lines. And there is a third: do not look
# at all. A fake shows its original's frames, with something else in the face's place. So the original's boxes will do
# for all its fakes. Let us add up what each idea brings, for one film and its four fakes, as if they had 720 lines.

# %%
ideas = ["no small faces", "240 lines", "many frames at once", "one detection for all"]
guess_idea = course.predict("Added one after the other, which of these ideas divides the time by most?", options=ideas)

# %%
films = lesson_02b_films.one_set(root, clips, frames=3)  # of the real film and of its fakes
ladder = lesson_02b_films.speed_ups(films)
gain = (ladder["seconds"].shift() / ladder["seconds"]).dropna()  # how many times as fast as the row before
guess_idea.answer(gain.idxmax().removeprefix("+ "))
lesson_02b_films.speed_figure(ladder, "Each idea makes detection faster")

# %%
ladder.assign(gain=gain).round({"gain": 1, "overlap": 2, "seconds": 2})

# %% [markdown]
# **What we saw.** Each row has one idea more than the row before, and each takes less time.
# <!-- holds: (gain > 1).all() -->
# The largest step is "{= gain.idxmax().removeprefix("+ ") =}", by {= gain.max() : .1f =} times.
# All together are {= ladder["seconds"].iloc[0] / ladder["seconds"].iloc[-1] : .0f =} times as fast as the usual loop.
# The column `overlap` is the price: how well the crop still lies on the one that the loop cuts, as IoU. It stays at
# {= ladder["overlap"].min() : .2f =} or more. <!-- holds: ladder["overlap"].min() > 0.8 -->
# `lost` counts the faces that the loop finds and this row does not. This is detection alone, as processor time.
# Decoding, cutting and writing come on top; [docs/benchmarks/extraction.md](../docs/benchmarks/extraction.md) measures
# the whole, and has the command to measure it on *your* films.
#
# So `torchfakes extract` looks for faces from 15 % of the frame's shorter side, and shrinks the frame until such a face
# is 36 px high: 240 lines. This has a price, too: what is smaller than the smallest face does not exist.
#
# ### Your turn · A camera in a station hall
#
# *5 min, difficulty 2 of 3.* A camera of 1080 lines looks into a station hall. The people at its far end have faces of
# 48 px. Somebody uses `extract` with its defaults. Whom does it find? Which smallest face would you choose, and how
# many times the windows does that cost? `lesson_02b_films.windows(lines, min_face)` counts them. Write your choice down
# and defend it in two sentences before you open the answer.
#
# <details><summary>One answer</summary>
#
# 15 % of 1080 lines are 162 px: only people near the camera are found, and the rest of the hall is empty. Faces from
# 40 px leave some room below 48, since nobody's face is measured to the pixel. They cost 21 times the windows
# (48,124 / 2,273). The square rule says (162 / 40)² ≈ 16; the rest is because the window loses its 12 px at each level,
# which matters most on small levels. To shrink the frame to half with faces from 20 px costs the same: it is the share
# of the frame that counts. If that is too expensive, look at fewer frames a second. A person stays in the hall for
# longer than that, and a missed size is missed in every frame.
#
# </details>

# %% [markdown]
# ## 4 · May a crop give away what it is?
#
# There is a better reason to cut an original and its fakes by the same box. Suppose that someone finds the faces of the
# two classes in two different ways: other detectors, other margins, or a detector that likes a forged face a little
# larger. We take *real* crops only, each twice: as it is, and cut a little wider, which we call "fake". Then our
# "detector" is a *ruler*: it measures the distance between the eyes, and the nearer they are, the more "fake". Its AUC
# is the share of pairs, one of each class, that it puts in the right order; a coin has 0.5 (see lesson 06).

# %%
guess_ruler = course.predict(
    "The “fakes” are cut 1.4 times as wide as the box instead of 1.3. What is the AUC of the ruler?", 0.5, 1.0
)

# %%
real = course.faces_table().query("label == 0")
points = np.array([list(map(float, text.split())) for text in real["landmarks"]]).reshape(-1, 5, 2)
eyes = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)  # px of a crop of 160
auc = {scale: lesson_02b_films.ruler(eyes, scale)[2] for scale in (1.3, 1.35, 1.4, 1.5, 1.6)}
for scale, value in auc.items():
    print(f"“fakes” cut at {scale:.2f} times the box: AUC of the ruler {value:.2f}")
guess_ruler.answer(auc[1.4])

# %%
from torchfakes_utils.course import widgets


def cut_wider(scale):
    return lesson_02b_films.ruler_figure(eyes, scale)


widgets.explore(
    cut_wider,
    labels={"scale": "“fakes” are cut at"},
    scale=(1.3, 1.8, 0.05, 1.4),
    states=[{"scale": 1.3}, {"scale": 1.4}, {"scale": 1.6}],
)

# %% [markdown]
# **What we saw.** Not one face is forged, and everybody is in both classes. Still the ruler's AUC climbs from a coin's
# {= auc[1.3] : .2f =} to {= auc[1.4] : .2f =} at 1.4 and {= auc[1.6] : .2f =} at 1.6.
# <!-- holds: auc[1.3] < auc[1.35] < auc[1.4] < auc[1.5] < auc[1.6] and abs(auc[1.3] - 0.5) < 0.01 -->
# In the picture, the two hills move apart. A ruler measures one number. A network sees the hairline and the background,
# too, and finds such a difference before it finds anything else.
#
# So: *whatever happens to real and fake must be the same*. Same detector, same box, same margin, same file format. With
# `extract` a fake takes the box of its original, and the column `found` says `reused`. Where the frames do not show the
# same, the face is found again, and the column says `detected`.

# %% [markdown]
# ## 5 · How do you do a whole folder?
#
# A real folder has surprises. We make one with three: a good clip with one of its fakes, the clip whose person leaves,
# and a text file that calls itself `.mp4`. (A download that failed leaves such files behind.)

# %%
import shutil
import tempfile
from pathlib import Path

folder, low = Path(tempfile.mkdtemp()), clips["compression"].min()
shutil.copytree(root / "splits", folder / "splits")
leaving = lesson_02b_films.example(root, clips, "leaves")
good, broken = [person for person in sorted(set(clips["target_id"])) if person != leaving][:2]
fake = clips[(clips["original_id"] == good) & (clips["compression"] == low)].iloc[0]
wanted = [f"original_sequences/youtube/{low}/videos/{person}.mp4" for person in (good, leaving)]
for path in [*wanted, fake["path"]]:
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(root / path, folder / path)
(folder / wanted[0]).with_stem(broken).write_text("<html>404 Not Found</html>")
faceforensics.write_clips(folder)
print(sorted(path.name for path in folder.rglob("*.mp4")))

# %%
guess_crops = course.predict("Five frames of each clip are asked for. How many crops will there be?", 0, 20)

# %%
from torchfakes_utils.faces import extraction
from torchfakes_utils.faces.config import ExtractionConfig

config = ExtractionConfig(frames=5)
report = extraction.extract_faces(folder, folder / "faces", config, progress=False)
print(f"{report.clips} clips, {report.faces} faces, {report.failures} failed, {report.seconds:.1f} s")
again = extraction.extract_faces(folder, folder / "faces", config, progress=False)
print(f"the same call again: {again.faces} faces, {again.seconds:.1f} s")
guess_crops.answer(report.faces)

# %%
from torchfakes_utils.crops.table import load_faces

cut = load_faces(folder / "faces" / "faces.csv")
shown = cut.groupby("clip_id").tail(4).sort_values(["original_id", "label", "frame"])
words = [f"{clip}, frame {number}" for clip, number in zip(shown["clip_id"], shown["frame"], strict=True)]
faces = [plots.face(file) for file in shown["file"]]
plots.images(faces, words, columns=4, labels=shown["label"].tolist(), title="Each fake below its original")

# %%
cut[["clip_id", "frame", "x1", "y1", "x2", "y2", "probability", "sharpness", "found"]].round(2)

# %% tags=["nbval-check-output"]
from torchfakes_utils.io.tables import FAILURE_COLUMNS, read_table

for failure in read_table(folder / "faces" / "failures.csv", FAILURE_COLUMNS).to_dict("records"):
    print(f"{failure['clip_id']}: {failure['reason']}")
of_clip = cut["clip_id"].value_counts()
shutil.rmtree(folder)

# %% [markdown]
# **What we saw.** There are {= report.faces =} crops in all. The good clip gives {= of_clip[good] =}. Its fake gives
# the same squares, and they are marked `reused`. <!-- holds: (cut.query("label == 1")["found"] == "reused").all() -->
# The clip whose person leaves gives {= of_clip[leaving] =}: a frame without a face is just not there.
# <!-- holds: of_clip[leaving] < of_clip[good] == of_clip[fake["clip_id"]] -->
# The text file is a row in `failures.csv`, with its reason, and the rest was done. Nothing disappears without a word,
# and nothing ends the night's run. The second call took next to no time, since each finished clip is remembered.
# <!-- holds: again.seconds < report.seconds and again.faces == report.faces -->
#
# For a real folder, in a terminal: `torchfakes extract data/ffpp --out data/ffpp-faces`.
#
# <details><summary>For large machines, and for many of them</summary>
#
# On a large machine add `--workers 4`. With many machines, start a dask scheduler and workers that all see the two
# folders, and give its address: `--scheduler tcp://…:8786`. A worker that dies costs the few clips that it had in hand,
# and another does them again. After a power cut, start the same command again; the tables come out as if nothing had
# happened. `TORCHFAKES_DATA=data/ffpp make lab` runs this very lesson on the real films.
#
# </details>

# %% [markdown]
# ## Open challenge
#
# Take a film of your own with two people who pass each other, and let `follow_one` and the package's `follow` choose.
# Whom do they follow after the two have met? You got somewhere if you find a film in which one of them changes the
# person, and can say which property of a face, other than its place, would have prevented it.
#
# ## Quiz

# %%
course.quiz("02b")

# %% [markdown]
# ## Misconceptions
#
# - *"The biggest box is the person."* Until the person is missed for one frame. Then the biggest box is somebody else,
#   and nothing warns you.
# - *"Detection is free."* On a real data set it costs hours. The smallest face decides how many.
# - *"A frame without a face is an error."* It is a fact. An error is to make up a face for it, or a score.
# - *"How I crop is a detail."* If it differs between the classes, it is the easiest thing there is to learn.
#
# ## Recap
#
# - Follow one face through the clip. Fill a gap only where the face can be seen, and mark it.
# - One way to cut (`square_crop`, 1.3), for real and fake, for training and prediction.
# - Show the detector small frames, many at once, and each film once: the fakes take their original's boxes.
# - Failures are rows of a table, and not exceptions.
#
# **What this would have told the team.** In a film with a second person, "the biggest box" gives the wrong face
# wherever the right one is missed. To follow one face gives no face there, and each crop shows whom the table names.
#
# ## Next
#
# [03 · Sharp enough?](03_sharp_enough.ipynb): some of these crops are blurred. What does a blurred face lack, and may
# you throw it away?

# %% [markdown]
# <details><summary>For whoever teaches this</summary>
#
# - **Draw on the board** two faces as boxes in five frames, the larger one missing in the third. Let the room apply
#   "the biggest" by hand and say whose label the third crop gets.
# - **Where the room stops:** in `follow_one` at what to remember after a gap. Many set the last box to None, and begin
#   again with the bystander. Ask: do we know less about where the face was, because we do not see it now?
# - **If ten minutes are missing,** skip section 3 but for its last figure, and the whole folder in section 5. The ruler
#   in section 4 should stay: lesson 04 builds on it.
#
# </details>
#
# ## Sources
#
# - A. Rössler et al.: *FaceForensics++: Learning to Detect Manipulated Facial Images*. ICCV 2019 (the crop of 1.3).
# - K. Zhang et al.: *Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks*. IEEE Signal
#   Processing Letters, 2016.
# - E. Bochinski, V. Eiselein, T. Sikora: *High-Speed Tracking-by-Detection Without Using Image Information*. AVSS 2017
#   (to follow by overlap alone).
