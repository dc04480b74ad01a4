# ---
# jupyter:
#   torchfakes:
#     needs: []
#     unlinked: [mask, score]
# ---

# %% [markdown]
# # 02 · Find the face
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/v0.1.0/notebooks/02_find_the_face.ipynb)
#
# **In this lesson you build a face detector round three small networks, and see what each of them lets through.**
#
# - **You will be able to** compute an image pyramid, turn a map of probabilities into boxes, measure how well two boxes
#   agree, write non-maximum suppression, and say why a detector is a row of three networks.
# - **You need** NumPy and a first idea of a convolution. Lesson 01 helps, but is not needed.
# - **Time:** about 30 min to read, 35 min of exercises, 15 s to run on two CPU cores.
#
# Our bootcamp team wrote a loop: for each video, for each frame, find the face, save it. The loop called a library's
# face detector, and the team took what came out. Where a crop showed something else than a face, nobody could say why.
# What they lacked was a look inside the detector. [Lesson 02b](02b_films_to_faces.ipynb) then goes from one photograph
# to a folder of films.

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

# %%
import numpy as np
import skimage
from facenet_pytorch import MTCNN

from torchfakes_utils.course import lesson_02, lesson_02_cascade, lesson_02_figures
from torchfakes_utils.export import mtcnn_numpy  # the arithmetic between the three networks

photo = skimage.data.astronaut()  # Eileen Collins, by NASA, in the public domain
mtcnn = MTCNN(keep_all=True)
networks = lesson_02_cascade.face_networks(mtcnn)  # the three networks, from arrays to arrays
plots.images([photo], inches=3.3, alt="An astronaut in her suit, with a flag, a model of the shuttle and her helmet.")

# %% [markdown]
# MTCNN (Zhang et al., 2016) is three small networks in a row. The first, **P-Net**, proposes. It is quick, and it sees
# faces in many places. The second, **R-Net**, refines. The third, **O-Net**, decides, and adds five landmarks. We go
# through them one by one, with this photograph of 512×512 pixels.

# %%
guess_places = course.predict(
    "MTCNN looks for faces from 20 px. At how many places of this photograph does it look?",
    options=["about 400", "about 4,000", "about 40,000"],
)

# %% [markdown]
# ## 1 · How can a window of 12 pixels find a face of any size?
#
# P-Net looks through a window of 12×12 pixels, and through no other. So it does not look for large faces. It makes the
# *picture* smaller, until a large face is 12 pixels high. All these pictures together are an **image pyramid**, and
# each of them is a **level**. Two numbers build it:
#
# - the smallest face that is worth finding. It sets the first level: there, such a face is 12 px high;
# - a factor from one level to the next. MTCNN takes 0.709, so that each level has half the pixels of the one before.

# %% [markdown]
# ### Your turn · The pyramid's scales
#
# *5 min, difficulty 1 of 3.* Write a function that gives the **scale** of each level, the finest first. A scale is a
# level's side, as a share of the photograph's side. At the first level, a face of `min_face` px is 12 px high. The last
# level is the last one in which the window of 12 px still fits. For a photograph of 100 px and faces from 40 px the
# scales are 0.3, 0.2127 and 0.1508. Do not round: the next, 0.1069, gives a picture of 10.7 px, which is too small.


# %%
def pyramid_scales(shorter_side: float, min_face: float, factor: float = 0.709) -> list[float]:
    """Scales at which faces from `min_face` px up to the whole picture become 12 px high."""
    # your code here


course.check(lesson_02.PYRAMID, pyramid_scales)
pyramid_scales = course.yours(lesson_02.PYRAMID, pyramid_scales)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def pyramid_scales(shorter_side, min_face, factor=0.709):
#     scale, scales = 12 / min_face, []
#     while shorter_side * scale >= 12:
#         scales.append(scale)
#         scale *= factor
#     return scales
# ```
#
# </details>

# %% [markdown]
# Now let the window stand in the middle of the face, on four levels.

# %%
mtcnn_box = mtcnn.detect(photo)[0][0].astype(float)  # what the whole detector ends with: x1, y1, x2, y2
middle = (mtcnn_box[:2] + mtcnn_box[2:]) / 2
lesson_02_figures.window_figure(photo, middle, [pyramid_scales(512, 20)[k] for k in (0, 2, 4, 6)])

# %% [markdown]
# Above you see what the window covers of the photograph, below the 144 pixels that are left of it. On the finest level
# it sees skin. Further on it sees the nose, then a face from brow to chin, and in the end a whole head. The face is
# found on the level on which it just fills the window.

# %%
guess_cost = course.predict(
    "The pyramid has ten levels. The whole of it costs how many times its first level?",
    1.0, 10.0, step=0.5,
)  # fmt: skip

# %% tags=["nbval-check-output"]
pixels_of = {}
for min_face in (20, 40, 80):
    pixels_of[min_face] = [round(512 * scale) ** 2 for scale in pyramid_scales(512, min_face)]
    first, whole = pixels_of[min_face][0], sum(pixels_of[min_face])
    print(f"faces from {min_face} px: {len(pixels_of[min_face]):>2} levels, first {first:>6,} px,", end=" ")
    print(f"all {whole:>7,} px = {whole / first:.2f} times the first")

# %%
guess_cost.answer(sum(pixels_of[20]) / pixels_of[20][0])

# %% [markdown]
# **What we saw.** The whole pyramid costs {= sum(pixels_of[20]) / pixels_of[20][0] : .1f =} times its first level,
# because 1 + ½ + ¼ + … comes to about 2. So the price lies in the *first* level, and the smallest face that you look
# for sets it. From 20 to 40 px, the work falls to {= sum(pixels_of[40]) / sum(pixels_of[20]) : .0 % =}.
# <!-- holds: sum(pixels_of[40]) < 0.3 * sum(pixels_of[20]) -->

# %% [markdown]
# ## 2 · What does P-Net see?
#
# It would be slow to cut out every window and show them one by one. P-Net has convolutions only, and no fully connected
# layer. So you may give it a picture of *any* size, and it answers with a picture: one probability for each place of
# its window. That is how a network looks everywhere at once.

# %%
guess_map = course.predict(
    "A level has 56×56 px, and the window of 12 px moves in steps of 2. How long is a row of the map?",
    1, 56,
)  # fmt: skip

# %% tags=["nbval-check-output"]
pixels = lesson_02_cascade.planes(photo)  # (3, 512, 512), 0 … 255
maps = []
for scale in pyramid_scales(512, 20):
    side = int(512 * scale + 1)
    level = mtcnn_numpy.scaled(mtcnn_numpy.area_resize(pixels, side, side))  # about -1 … 1
    probability, offsets = networks.pnet(level[None])
    maps.append(mtcnn_numpy.LevelMap(scale, probability[0], offsets[0]))
    if len(maps) == 6:  # here a face of 112 px fills the window
        row, column = np.unravel_index(probability[0].argmax(), probability[0].shape)
        window = level[:, 2 * row : 2 * row + 12, 2 * column : 2 * column + 12]
        alone = networks.pnet(window[None])[0].item()
        print(f"level {level.shape} -> map {probability.shape}")
        print(f"surest place: {probability.max():.3f} in the map, {alone:.3f} shown alone")

places = sum(each.probability.size for each in maps)
print(f"{places:,} places on {len(maps)} levels, {len(maps)} calls of P-Net")

# %%
guess_map.answer(maps[5].probability.shape[1])
said = {"about 400": 400, "about 4,000": 4_000, "about 40,000": 40_000}
guess_places.answer(min(said, key=lambda text: abs(said[text] - places)))

# %%
lesson_02_figures.maps_figure(photo, [maps[k] for k in (0, 2, 5)])

# %% [markdown]
# **What we saw.** A row of the map has (56 − 12) / 2 + 1 = {= maps[5].probability.shape[1] =} values. One call
# answers for all windows of a level. Each value is the one that the window gets if it is cut out and shown alone.
# <!-- holds: abs(alone - maps[5].probability.max()) < 1e-3 -->
# Ten calls answer for {= places : , =} places. In the figure, white means "a face fills the window here". On the right,
# where a face of 112 px fills the window, the map has one bright island, and that is where the face is. On the fine
# levels there are sparks: an eye, a badge, small things that look like faces to a network with fewer than seven
# thousand numbers. P-Net may be wrong there, because two networks come after it. What it misses is lost.

# %% [markdown]
# ### Your turn · From a place of the map to a box
#
# *5 min, difficulty 1 of 3.* The place (`row`, `column`) of a map stands for a window of its level. The window's left
# upper corner is 2·`column` px from the left and 2·`row` px from the top, and it is 12 px wide and high. Give the box
# of that window **in pixels of the photograph**: x1, y1, x2, y2. A level is `scale` times as large as the photograph.
# Row 3, column 5 at scale 0.5 gives 20, 12, 44, 36.


# %%
def cell_to_box(row: int, column: int, scale: float) -> np.ndarray:
    """x1, y1, x2, y2 in pixels of the photograph, shape (4,)."""
    # your code here


course.check(lesson_02.CELL, cell_to_box)
cell_to_box = course.yours(lesson_02.CELL, cell_to_box)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def cell_to_box(row, column, scale):
#     x, y = 2 * column, 2 * row
#     return np.array([x, y, x + 12, y + 12]) / scale
# ```
#
# </details>

# %% [markdown]
# ## 3 · How well does a box fit?
#
# Two boxes are rarely equal. To say how well they agree, the field divides the area that both share by the area that at
# least one of them covers: the **intersection over union**, IoU. It is 1 for equal boxes and 0 for boxes apart.

# %% [markdown]
# ### Your turn · Intersection over union
#
# *5 min, difficulty 1 of 3.* Boxes are x1, y1, x2, y2, and a box is x2 − x1 wide. For (0, 0, 2, 2) and (1, 0, 3, 2)
# the answer is ⅓: they share 2, and together they cover 6. Boxes that lie apart have to give 0.


# %%
def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Area that both boxes share, as a share of the area that they cover together."""
    # your code here


course.check(lesson_02.IOU, iou)
iou = course.yours(lesson_02.IOU, iou)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def iou(a, b):
#     width = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
#     height = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
#     shared = width * height
#     area_a, area_b = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
#     return shared / (area_a + area_b - shared)
# ```
#
# </details>

# %% [markdown]
# Windows can only lie on a grid, and on one level they all have one size. So P-Net answers with four more numbers for
# each place: by how much of the window's side each end of the box should move. That is **bounding box regression**.


# %%
def move(boxes: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Boxes (K, 4) whose ends move by shares (K, 4) of their sides."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return boxes + offsets * np.tile(sides, 2)


def windows_of(level):
    """Boxes (K, 4), scores (K,) and offsets (K, 4) of all windows of a level."""
    cells = np.argwhere(np.full(level.probability.shape, True))
    boxes = np.array([cell_to_box(row, column, level.scale) for row, column in cells])
    return boxes, level.probability.ravel(), level.offsets.reshape(4, -1).T


boxes, scores, offsets = windows_of(maps[5])
likes = scores >= 0.6
grid, moved = boxes[likes], move(boxes, offsets)[likes]
near = [k for k in range(len(grid)) if iou(grid[k], mtcnn_box) > 0.1]
fit_grid, fit_moved = (np.mean([iou(some[k], mtcnn_box) for k in near]) for some in (grid, moved))
print(f"{len(near)} windows near the face, mean IoU with MTCNN's last box:", end=" ")
print(f"{fit_grid:.2f}, moved {fit_moved:.2f}")

# %%
shown = {"windows that P-Net likes, on their grid": grid, "moved by regression": moved}
lesson_02_figures.boxes_figure(photo, shown, "Four numbers per window pull boxes to the face")

# %% [markdown]
# **What we saw.** On the left the windows lie on their grid and are all of one size. On the right the
# {= len(near) =} windows near the face have moved to it, and are as wide and high as it. Their mean IoU with MTCNN's
# last box rises from {= fit_grid : .2f =} to {= fit_moved : .2f =}. <!-- holds: fit_moved > fit_grid + 0.05 -->
# The other {= len(grid) - len(near) =} lie on the arm: false alarms, which R-Net will refuse.
# <!-- holds: np.max(networks.rnet(mtcnn_numpy.patches_of(pixels, mtcnn_numpy.squared(np.delete(moved, near, axis=0)),
# 24)[1])[0]) < 0.7 --> But it is still one face with {= len(near) =} boxes. <!-- holds: len(near) > 3 -->

# %% [markdown]
# ## 4 · How do hundreds of boxes become a few?
#
# Here are all levels together: each window that P-Net likes, moved to where it says.

# %%
boxes, scores, offsets = (np.concatenate(parts) for parts in zip(*map(windows_of, maps), strict=True))
likes = scores >= 0.6  # how sure P-Net has to be
proposed, sure = move(boxes, offsets)[likes], scores[likes]
print(f"P-Net likes {len(proposed)} of {len(boxes):,} windows")

# %% [markdown]
# Keep the surest box. Throw away every box that overlaps with it too much, because it shows the same face. Do the same
# with what is left, until nothing is left. That is **non-maximum suppression**.
#
# ### Your turn · Non-maximum suppression
#
# *15 min, difficulty 2 of 3.* Give the **numbers** of the boxes to keep, the surest first. Of two boxes whose `iou` is
# more than `limit`, the surer one stays. A box that was thrown away throws nobody away any more.
#
# An example: the boxes `[[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10]]` with scores 0.7, 0.9 and 0.8, and a limit of
# 0.5. The first two show the same face, the third another one. The answer is [1, 2].
#
# Hints: `np.argsort(-scores)` gives the numbers from the surest to the least sure. A `while` loop takes the first of
# them, keeps it, and makes the list shorter.


# %%
def suppress(boxes: np.ndarray, scores: np.ndarray, limit: float) -> list[int]:
    """Numbers of the boxes (N, 4) to keep, the surest first; scores (N,)."""
    # your code here


course.check(lesson_02.SUPPRESS, suppress)
suppress = course.yours(lesson_02.SUPPRESS, suppress)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def suppress(boxes, scores, limit):
#     waiting, keep = list(np.argsort(-scores)), []
#     while waiting:
#         best = waiting.pop(0)
#         keep.append(int(best))
#         waiting = [other for other in waiting if iou(boxes[best], boxes[other]) <= limit]
#     return keep
# ```
#
# </details>

# %%
guess_limit = course.predict("With a higher limit, are more boxes kept, or fewer?", options=["more", "fewer"])

# %%
import torch
from torchvision.ops import nms

kept = {limit: suppress(proposed, sure, limit) for limit in (0.1, 0.3, 0.5, 0.7, 0.9)}
for limit, numbers in kept.items():
    print(f"limit {limit}: {len(numbers):>3} of {len(proposed)} kept")
same = kept[0.5] == nms(torch.tensor(proposed), torch.tensor(sure, dtype=torch.float64), 0.5).tolist()
print("torchvision keeps the same boxes:", same)

guess_limit.answer("more" if len(kept[0.9]) > len(kept[0.1]) else "fewer")

# %% [markdown]
# **What we saw.** A higher limit allows more overlap, so more boxes stay: {= len(kept[0.1]) =} at 0.1,
# {= len(kept[0.9]) =} at 0.9. <!-- holds: len(kept[0.1]) < len(kept[0.5]) < len(kept[0.9]) -->
# torchvision's own routine keeps the same boxes as yours. <!-- holds: same -->
# MTCNN takes 0.5 within a level and 0.7 between levels. It would rather keep a double than lose one of two people who
# stand close together.
#
# **Break it.** Forget to sort, so that the box that comes first suppresses boxes that are better.

# %%
careful, careless = suppress(proposed, sure, 0.3), suppress(proposed, np.zeros(len(proposed)), 0.3)
for name, numbers in {"with sorting": careful, "without": careless}.items():
    print(f"{name:<12}: {len(numbers)} kept, the surest with a score of {sure[numbers].max():.5f}")

# %% [markdown]
# **What we saw.** Without sorting there is no error, and there are boxes. But the surest box is gone: the best that is
# left has a score of {= sure[careless].max() : .5f =} instead of {= sure[careful].max() : .5f =}.
# <!-- holds: sure[careless].max() < sure[careful].max() -->
# Nobody notices such a bug, because there is always *a* box.

# %% [markdown]
# ## 5 · Why three networks?
#
# P-Net looked at {= len(boxes) : , =} windows, so it had to be small. What it lets through is few enough to be looked
# at more closely. R-Net sees each candidate at 24×24 px, O-Net what is left at 48×48. The whole **cascade** is one
# loop. It consists of what you have written: boxes from a map, regression, suppression.


# %%
def closely(network, boxes: np.ndarray, size: int):
    """R-Net or O-Net: each box is made square, cut out, brought to size×size and judged."""
    boxes, patches = mtcnn_numpy.patches_of(pixels, mtcnn_numpy.squared(boxes), size)
    probability, offsets, *_ = network(patches)
    return boxes, probability, offsets


left = {"windows": (boxes, scores)}
for name, network, size, threshold in (
    ("P-Net", None, 12, 0.6),
    ("R-Net", networks.rnet, 24, 0.7),
    ("O-Net", networks.onet, 48, 0.7),
):
    if network is not None:  # P-Net has looked at all windows at once
        boxes, scores, offsets = closely(network, boxes, size)
    passed = scores >= threshold
    moved, passing = move(boxes[passed], offsets[passed]), scores[passed]
    keep = suppress(moved, passing, 0.7)
    print(f"{name} looked at {len(boxes):>6,}: {passed.sum():>3} passed, {len(keep):>3} left")
    boxes, scores = moved[keep], passing[keep]
    left[name] = (boxes, scores)

agreement = iou(left["O-Net"][0][0], mtcnn_box)
print(f"\nyour box and that of facenet-pytorch's own detect: IoU {agreement:.2f}")

# %%
stages = [lesson_02_cascade.Stage("P-Net likes", proposed, sure)]
stages += [lesson_02_cascade.Stage(f"left by {name}", *left[name]) for name in ("P-Net", "R-Net", "O-Net")]
lesson_02_figures.melting_figure(photo, stages, "Each stage leaves fewer boxes, until one is left")

# %% [markdown]
# **What we saw.** {= len(left["windows"][0]) : , =} windows, {= len(left["P-Net"][0]) =} boxes after P-Net,
# {= len(left["R-Net"][0]) =} after R-Net, {= len(left["O-Net"][0]) =} after O-Net.
# <!-- holds: len(left["P-Net"][0]) > len(left["R-Net"][0]) > len(left["O-Net"][0]) == 1 -->
# The figure shows the boxes of each stage over the faded photograph. The first two pictures have boxes everywhere, the
# third nearly only on the face. This is a face detector, and its box agrees with the library's: an IoU of
# {= agreement : .2f =}. <!-- holds: agreement > 0.85 -->
# The two differ in details, such as how a window is rounded to whole pixels.
#
# What did R-Net refuse? Here are candidates as it sees them, enlarged. Above are those of which P-Net was surest and
# which R-Net threw out. Below are those that R-Net likes best.

# %%
candidates, first_score = left["P-Net"]
_, seen = mtcnn_numpy.patches_of(pixels, mtcnn_numpy.squared(candidates), 24)
opinion = networks.rnet(seen)[0]
refused = [k for k in np.argsort(-first_score) if opinion[k] < 0.7][:4]
chosen = [*refused, *np.argsort(-opinion)[:4]]
pictures = [np.rint(128 * seen[k].transpose(1, 2, 0) + 127.5).astype(np.uint8) for k in chosen]
words = [f"P-Net {first_score[k]:.2f}, R-Net {opinion[k]:.2f}" for k in chosen]
title = "R-Net throws out parts of a face, and other things"
plots.images(pictures, words, columns=4, title=title, inches=1.72)

# %% [markdown]
# P-Net was sure of all four in the upper row: {= first_score[refused].min() : .2f =} or more. R-Net gives each of them
# {= opinion[refused].max() : .2f =} or less.
# <!-- holds: first_score[refused].min() > 0.9 and opinion[refused].max() < 0.7 -->
#
# Why not ask O-Net at once, if it knows best? P-Net has fewer than 7,000 numbers, R-Net about 100,000, O-Net nearly
# 400,000.

# %%
guess_seconds = course.predict(
    "If O-Net looked at every window by itself, how long would this photograph take?", 0, 120, unit="s"
)

# %%
every = len(left["windows"][0])
_, larger = mtcnn_numpy.patches_of(pixels, mtcnn_numpy.squared(candidates), 48)
tasks = {
    "P-Net": lambda: mtcnn_numpy.level_maps(pixels, networks.pnet, 20),
    "R-Net": lambda: networks.rnet(seen),
    "O-Net": lambda: networks.onet(larger),
}
asked = {"P-Net": every, "R-Net": len(seen), "O-Net": len(larger)}
each = {name: taken / asked[name] for name, taken in lesson_02_cascade.core_seconds(tasks).items()}
for name, taken in each.items():
    print(f"{name}: {taken * 1e6:>6.1f} µs of one core per window, {taken * every:6.2f} s for all windows")

o_net_seconds = each["O-Net"] * every
cascade_seconds = each["P-Net"] * every + each["R-Net"] * len(seen) + each["O-Net"] * len(left["R-Net"][0])
guess_seconds.answer(o_net_seconds)

# %% [markdown]
# **What we saw.** O-Net alone would take about {= o_net_seconds : .0f =} s for one photograph. The three networks in a
# row take {= cascade_seconds : .2f =} s. <!-- holds: o_net_seconds > 20 * cascade_seconds -->
# P-Net is so cheap for each window because neighbouring windows share their work. So the cheap network looks everywhere
# and refuses nearly everything, and the expensive one is asked about a few boxes. That is the idea of a cascade.
#
# Now change the thresholds: how sure each network must be to let a box pass. What happens in the end when P-Net lets
# three times as many boxes pass? How low can O-Net's threshold be before a helmet becomes a face? (The widget thins
# out as MTCNN does: 0.5 within a level, 0.7 between levels, and after P-Net and R-Net before the boxes are moved. So at
# the same thresholds it counts other boxes than your loop.)

# %%
from torchfakes_utils.course import widgets

opinions = lesson_02_cascade.ask(networks, photo, maps)  # of all boxes that P-Net likes a little


def melt(p_net, r_net, o_net):
    passed = lesson_02_cascade.passing(opinions, (p_net, r_net, o_net))
    title = "Left by each network: " + ", ".join(str(len(stage.boxes)) for stage in passed[1:])
    return lesson_02_figures.melting_figure(photo, [passed[1], passed[3]], title)


widgets.explore(
    melt,
    labels={"p_net": "P-Net lets pass from", "r_net": "R-Net", "o_net": "O-Net"},
    p_net=(0.3, 0.99, 0.01, 0.6),
    r_net=(0.1, 0.99, 0.01, 0.7),
    o_net=(0.05, 0.99, 0.01, 0.7),
    states=[{}, {"p_net": 0.3}, {"p_net": 0.3, "r_net": 0.1, "o_net": 0.05}],
)

# %%
usual = lesson_02_cascade.passing(opinions, (0.6, 0.7, 0.7))
first_low = lesson_02_cascade.passing(opinions, (0.3, 0.7, 0.7))
all_low = lesson_02_cascade.passing(opinions, (0.3, 0.1, 0.05))
for name, stages in {"as in your loop": usual, "only P-Net's is low": first_low, "all three are low": all_low}.items():
    print(f"{name:<20}", ", ".join(f"{stage.name} {len(stage.boxes)}" for stage in stages))

# %% [markdown]
# **What we saw.** At your loop's thresholds {= len(usual[1].boxes) =} boxes are left by P-Net and
# {= len(usual[2].boxes) =} by R-Net, where your loop left {= len(left["P-Net"][0]) =} and {= len(left["R-Net"][0]) =};
# in the end both have {= len(usual[3].boxes) =}. <!-- holds: len(usual[3].boxes) == len(left["O-Net"][0]) == 1 -->
# With only P-Net's threshold low, {= len(first_low[0].boxes) =} boxes pass at first, and there is still
# {= len(first_low[-1].boxes) =} face in the end. <!-- holds: len(first_low[-1].boxes) == 1 -->
# <!-- holds: 2.5 < len(first_low[0].boxes) / len(proposed) < 3.5 -->
# With all three low, {= len(all_low[-1].boxes) =} boxes remain. They lie on the hair, the collar and the helmet,
# too. <!-- holds: len(all_low[-1].boxes) > 3 -->
# The first network may let too much pass, as long as the last one is strict.

# %% [markdown]
# ## 6 · What comes out in the end?
#
# O-Net adds ten numbers to its box: the places of the eyes, the nose and the corners of the mouth.

# %%
found, probabilities, landmarks = mtcnn.detect(photo, landmarks=True)
print(f"facenet-pytorch's own detect: {len(found)} face, probability {probabilities[0]:.4f}")
lesson_02_figures.landmarks_figure(photo, found[0].astype(float), landmarks[0].astype(float))

# %% [markdown]
# Left and right are as you see them: the "left eye" is on the left of the picture. The box ends on the forehead and at
# the chin. In 02b we cut a crop that is larger than this, because a forger's seam runs along the chin and the hairline.
# In lesson 07 the landmarks name the regions of a face that a detector looks at.

# %% [markdown]
# ## Open challenge
#
# Find a face that MTCNN misses and you do not: in profile, behind a mask, upside down, in a painting, far away. Which
# of the three networks refuses it? `lesson_02_cascade.ask` and `passing` tell you, for any photograph as an array
# (H, W, 3). You got somewhere if you can name the network, and one change of the picture that brings the face back.
#
# ## Quiz

# %%
course.quiz("02")

# %% [markdown]
# ## Misconceptions
#
# - *"A detector looks at the picture as a whole."* It looks at tens of thousands of small windows.
# - *"The surest box is the best face."* A probability says how much like a face it looks, not whose face it is.
# - *"No box means no face."* It means that one of three networks was less sure than its threshold.
#
# ## Recap
#
# - An image pyramid lets a window of 12 px find faces of every size. The smallest size sets the price.
# - A network of convolutions answers for all windows at once, with a map. Regression moves the windows.
# - Suppression keeps the surest of the boxes that overlap. It needs to be sorted.
# - A cascade is cheap because its first network refuses nearly everything.
#
# **What this would have told the team.** A crop that shows no face has passed three thresholds. Its three probabilities
# say which of the networks nearly refused it.
#
# ## Next
#
# [02b · From films to faces](02b_films_to_faces.ipynb): a film has many frames and perhaps two people. Whose face goes
# into the data set, and how much round it?

# %% [markdown]
# <details><summary>For whoever teaches this</summary>
#
# - **Draw on the board** one photograph and three smaller copies of it, with the same small square on each. Let the
#   room say what the square sees. Then draw three overlapping boxes in a row, and let the room suppress them by hand:
#   does the third one stay? (It overlaps only with the second, which is gone.)
# - **Where the room stops:** at `cell_to_box`, whether to multiply by the scale or to divide, and at x and y against
#   row and column. Ask for the box of row 0, column 1 first. In `suppress` many return places in the sorted list.
# - **If ten minutes are missing,** skip the regression in section 3 and the timing in section 5. The cascade's loop and
#   the widget should stay.
#
# </details>
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
#   ICLR 2014 (all windows in one call).
