# ---
# jupyter:
#   torchfakes:
#     needs: [clips, faces, scores]
#     unlinked: [weight, score]
# ---

# %% [markdown]
# # 03 · Sharp enough?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/v0.1.0/notebooks/03_sharp_enough.ipynb)
#
# **In this lesson you turn "blurred" into a number, find out what else moves that number, and see how a harmless
# filter can hand the answer to a network.**
#
# - **You will be able to** slide a Laplacian over a face by hand, measure sharpness at one size, choose a threshold
#   with open eyes, count whom it throws away, and recognise a filter that leaks the label.
# - **You need** NumPy slicing and a first `groupby` in pandas. Lesson 02b made the crops, but is not needed.
# - **Time:** about 30 min to read, 35 min of exercises, 20 s to run on two CPU cores.
#
# When our bootcamp team's detector answered "Real, Real, Real", the first suspect was quickly named: "the data was
# blurry". So they threw out every crop whose sharpness was below 30. Why 30, at which size, and whose crops went?
# Nobody had asked. In this lesson we ask.

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
import cv2
import numpy as np
import pandas as pd

from torchfakes_utils.course import lesson_03, lesson_03_figures, widgets
from torchfakes_utils.crops import table as crop_table
from torchfakes_utils.faces import quality
from torchfakes_utils.io.tables import CLIP_COLUMNS, read_table
from torchfakes_utils.metrics import binary, intervals

faces = course.faces_table()
real, fake = lesson_03.changing_clip(faces)
both = pd.concat([real, fake])
pictures = [plots.face(file) for file in both["file"]]
titles = [f"{plots.NAMES[row.label]}: {row.sharpness:.0f}" for row in both.itertuples()]
title = "One person, two seconds: real above, its fake below"
plots.images(pictures, titles, columns=4, labels=both["label"].tolist(), title=title)

# %% [markdown]
# These are four frames of one real clip, and of one fake of it, in the order of time. Twice the picture is smeared
# and then clear; the number above each crop rises and falls with it.
# <!-- holds: real["sharpness"].iloc[[0, 2]].max() < real["sharpness"].iloc[[1, 3]].min() / 3 --> Where it is smeared,
# it is hard to say which row is the fake. What does the number measure?

# %% [markdown]
# ## 1 · What does a blurred face lack?
#
# Take one line of pixels, straight across the eyes. Walk along it and ask at each pixel: is it brighter or darker than
# the middle between its two neighbours? That is the **second difference**: left + right − twice the middle.

# %%
options = ["large", "small", "zero"]
guess_slope = course.predict(
    "On an even slope of skin, from dark to bright, the second difference is …", options=options
)

# %%
sharp = pictures[int(real["sharpness"].argmax())]
blurred = cv2.GaussianBlur(sharp, (0, 0), 3)  # the same frame, out of focus
lesson_03_figures.edges_figure({"sharp": sharp, "blurred": blurred}, row=60)

# %%
slope = np.array([10, 40, 70, 100, 130])  # each pixel 30 brighter than the one before
bends = slope[:-2] + slope[2:] - 2 * slope[1:-1]
print("second differences of the slope:", bends)
guess_slope.answer("zero" if not bends.any() else "large")

lines = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[60].astype(float) for picture in (sharp, blurred)]
height_left = lines[1].std() / lines[0].std()
bends_left = np.diff(lines[1], 2).std() / np.diff(lines[0], 2).std()
print(f"blur leaves {height_left:.0%} of the ups and downs, {bends_left:.0%} of the second differences")

# %% [markdown]
# **What we saw.** A slope, however steep, gives zero: each pixel lies just between its neighbours. Only where
# brightness *bends* does the second difference answer. In the blurred line the large hills and valleys are still
# there, with {= height_left : .0 % =} of their height: dark eyes, bright nose. <!-- holds: height_left > 0.5 -->
# What is gone are the sudden changes. Of the second differences {= bends_left : .0 % =} are left.
# <!-- holds: bends_left < 0.25 -->

# %% [markdown]
# ## 2 · How do you slide it over a picture?
#
# In two dimensions a pixel has four neighbours. Add the second difference along the row and the one along the column.
# Written as weights for a window of 3×3 pixels, this is the **Laplacian**:
#
# $$\begin{pmatrix}0&1&0\\1&-4&1\\0&1&0\end{pmatrix}$$
#
# ### Your turn · Sharpness by hand
#
# *5 min, difficulty 1 of 3.* Write the Laplacian of a grey picture (H, W), without a library: for each pixel, above +
# below + left + right − 4 × the middle. The result has the shape (H, W) too. At the border a neighbour is missing, so
# begin with `around = np.pad(np.asarray(grey, float), 1, mode="reflect")`, which is (H + 2, W + 2). Then
# `around[:-2, 1:-1]` holds, for each pixel, the one above it. Example: in the middle of
# `[[1, 2, 3], [4, 9, 6], [7, 8, 9]]` the answer is 2 + 8 + 4 + 6 − 36 = −16.


# %%
def laplacian(grey: np.ndarray) -> np.ndarray:
    """Sum of the four neighbours minus four times the middle; (H, W) to (H, W)."""
    # your code here


course.check(lesson_03.LAPLACIAN, laplacian)
laplacian = course.yours(lesson_03.LAPLACIAN, laplacian)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def laplacian(grey):
#     around = np.pad(np.asarray(grey, float), 1, mode="reflect")
#     above, below = around[:-2, 1:-1], around[2:, 1:-1]
#     left, right = around[1:-1, :-2], around[1:-1, 2:]
#     return above + below + left + right - 4 * around[1:-1, 1:-1]
# ```
#
# </details>
#
# Now try it on a small picture, dark on the left and bright on the right. Which columns will answer, and with which
# signs?

# %% tags=["nbval-check-output"]
step = np.array([[10, 10, 10, 200, 200, 200]] * 3, np.uint8)
print(np.asarray(laplacian(step)).astype(int))

# %% [markdown]
# Plus, then minus: each edge answers twice, once on either side. Now a whole face, and the same thing done by OpenCV.

# %% tags=["nbval-check-output"]
grey = cv2.cvtColor(sharp, cv2.COLOR_RGB2GRAY)
by_hand, by_library = np.asarray(laplacian(grey)), cv2.Laplacian(grey, cv2.CV_64F)
print("same shape:", by_hand.shape == by_library.shape, "  largest difference:", np.abs(by_hand - by_library).max())

# %%
smeared = pictures[int(real["sharpness"].argmin())]
answers = [np.asarray(laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))) for picture in (sharp, smeared)]
shown = [np.clip(128 + 3 * answer, 0, 255).astype(np.uint8) for answer in answers]  # grey is zero
names = ["sharp", "its Laplacian", "smeared", "its Laplacian"]
plots.images([sharp, shown[0], smeared, shown[1]], names, title="A smeared face hardly answers", inches=1.7)

# %% [markdown]
# **What we saw.** A few slices and OpenCV agree to the last digit, border included. In the sharp face every wrinkle
# answers. The smeared face, from the clip above, is nearly flat grey, which means zero.
# <!-- holds: answers[1].std() < 0.3 * answers[0].std() -->
# What is left are lines along the direction in which the camera shook: an edge that moves along itself is not blurred.
# <!-- holds: np.diff(smeared.mean(2), 2, axis=0).std() > 1.3 * np.diff(smeared.mean(2), 2, axis=1).std() -->
#
# **Break it.** Pictures are `uint8`, and so is what OpenCV returns if you ask for it with −1 ("as the input"). But
# half of each edge is negative.

# %% tags=["nbval-check-output"]
print("float64:", cv2.Laplacian(step, cv2.CV_64F)[0].astype(int))
print("uint8:  ", cv2.Laplacian(step, -1)[0], " <- the negative half is gone, without a word")

# %% [markdown]
# ## 3 · How does a picture become one number?
#
# A sharp face answers strongly in some places and not in others; a blurred one answers nowhere. So take the spread of
# all answers, their **variance**. That is the whole method (Pech-Pacheco et al., 2000).

# %%
question = "We blur the sharp face by one pixel. How much of its number is left?"
guess_blur = course.predict(question, 0, 100, unit="%")

# %%


def spread(face: np.ndarray) -> float:
    """Variance of the Laplacian of a crop (H, W, 3), at its own size."""
    return np.asarray(laplacian(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY))).var()


ladder = {0: sharp} | {sigma: cv2.GaussianBlur(sharp, (0, 0), sigma) for sigma in (0.5, 1, 2)}
number = {sigma: spread(face) for sigma, face in ladder.items()}
titles = [f"blur {sigma:g} px: {value:.0f}" for sigma, value in number.items()]
plots.images(list(ladder.values()), titles, title="The number falls long before you see much")

# %%
left = number[1] / number[0]
guess_blur.answer(100 * left)

# %% [markdown]
# **What we saw.** From left to right the blur grows, and you hardly see the first step. One pixel of blur (the
# standard deviation of a Gaussian) leaves {= left : .0 % =} of the number. It is far more sensitive than your eye.
# <!-- holds: left < 0.25 -->
# That helps you to find a lens out of focus. It is a warning as well: other small things may move the number just as
# far.

# %% [markdown]
# ## 4 · Is 30 a property of blur?
#
# The first TorchFakes project called a crop blurred when its number was below **30**
# (`faces.config.SHARPNESS_THRESHOLD`). Let us treat *one* face in six ways. It is cut from its video at three sizes:
# 80, 160 and 320 px. Then, always at 160 px, it gets some noise, or half the contrast, or it is cut from the same video
# in its harsher compression, c40.

# %%
question = "One frame, cut at 80, 160 and 320 px. Divide the highest number by the lowest. What comes out?"
guess_sizes = course.predict(question, 1, 60)

# %%
clips, data = read_table(course.ensure("clips"), CLIP_COLUMNS), course.paths().data
row = real.iloc[int(real["sharpness"].argmax())]
small, usual, large = (lesson_03.cut_again(row, clips, data, "c23", size) for size in (80, 160, 320))
noise = np.random.default_rng(0).normal(0, 1, (160, 160, 1))
noisy = np.clip(usual + 5 * noise, 0, 255).round().astype(np.uint8)
pale = (usual // 2 + 64).astype(np.uint8)
heavy = lesson_03.cut_again(row, clips, data, "c40")

cases = {"80 px": small, "160 px": usual, "320 px": large, "noise": noisy, "half contrast": pale, "c40": heavy}
number = {name: spread(face) for name, face in cases.items()}
titles = [f"{name}: {value:.0f}" for name, value in number.items()]
plots.images(list(cases.values()), titles, columns=3, title="One face, six “sharpnesses”", inches=2)

# %%
factor = number["80 px"] / number["320 px"]
guess_sizes.answer(factor)

# %% [markdown]
# **What we saw.** The small crop has the highest number, {= factor : .0f =} times that of the large one, although it
# holds the *least* detail. <!-- holds: number["80 px"] == max(number.values()) and factor > 5 -->
# Shrinking turns a slope of four pixels into a step of one. Enlarging stretches every edge. A threshold of 30 says
# nothing until you say for which size.
#
# Contrast enters as a square: half the contrast leaves {= number["half contrast"] / number["160 px"] : .0 % =} of the
# number, a quarter. <!-- holds: abs(number["half contrast"] / number["160 px"] - 0.25) < 0.03 -->
# A face with little contrast is not a blurred face, but the filter cannot tell. Compression takes fine edges away.
# <!-- holds: number["c40"] < number["160 px"] -->
# And noise *raises* the number. <!-- holds: number["noise"] > number["160 px"] -->
#
# ### Your turn · One size for all
#
# *8 min, difficulty 2 of 3.* Write `sharpness(grey, size)`: bring a grey crop (H, W) of `uint8` to `size` × `size`
# pixels, then return the variance of its Laplacian, one number. To resize, use
# `cv2.resize(grey, (size, size), interpolation=…)`: `cv2.INTER_AREA`, which averages, for a crop that is larger than
# `size`, and `cv2.INTER_LINEAR` for a smaller one. For the Laplacian, take yours or OpenCV's. Example: a wall without
# an edge, `np.full((80, 80), 128, np.uint8)`, has a sharpness of 0 at every size.


# %%
def sharpness(grey: np.ndarray, size: int) -> float:
    """Variance of the Laplacian of a crop (H, W) uint8 that was first brought to `size` x `size` pixels."""
    # your code here


course.check(lesson_03.SHARPNESS, sharpness)
sharpness = course.yours(lesson_03.SHARPNESS, sharpness)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def sharpness(grey, size):
#     shrinking = grey.shape[0] > size
#     grey = cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
#     return cv2.Laplacian(grey, cv2.CV_64F).var()
# ```
#
# </details>
#
# The package does the same in `faces.quality.variance_of_laplacian`, at 160 px. Then all crops are measured at one
# size. Does one face now have one number?

# %%
sizes = ("80 px", "160 px", "320 px")
common = {name: sharpness(cv2.cvtColor(cases[name], cv2.COLOR_RGB2GRAY), 160) for name in sizes}
own = {name: number[name] for name in sizes}
pd.DataFrame({"at its own size": own, "brought to 160 px": common}).rename_axis("cut at").round(0).astype(int)

# %% [markdown]
# It does not, but the numbers are closer. Cut at 160 px it has {= common["160 px"] : .0f =}. Cut at 320 px and made
# smaller it has {= common["320 px"] : .0f =}, for each of the two ways to 160 px takes other detail away.
# <!-- holds: 0.6 < common["320 px"] / common["160 px"] < 0.95 -->
# And no resizing brings back what a small crop has lost: the crop of 80 px is the least sharp of the three.
# <!-- holds: common["80 px"] == min(common.values()) and common["80 px"] < 0.5 * common["160 px"] -->
# Faces that are small in their frame will come out as "blurred", and in a sense they are.
#
# ### Your turn · What noise adds
#
# *5 min, difficulty 2 of 3.* Each pixel has its own random error, with variance *s*². A kernel adds up several pixels,
# each times its weight. Two rules are enough: a variable times *w* has *w*² times the variance, and the variances of
# independent errors add up. Write `noise_gain(kernel)`: by what factor does a kernel (h, w) multiply the variance of
# such noise? Example: the average of two pixels, `[[0.5, 0.5]]`, leaves 0.25 + 0.25 = 0.5 of it.


# %%
def noise_gain(kernel: np.ndarray) -> float:
    """Variance of noise after the kernel (h, w), divided by its variance before."""
    # your code here


course.check(lesson_03.NOISE_GAIN, noise_gain)
noise_gain = course.yours(lesson_03.NOISE_GAIN, noise_gain)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def noise_gain(kernel):
#     return (np.asarray(kernel, float) ** 2).sum()
# ```
#
# </details>

# %%
kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
gain = noise_gain(kernel)
flat = 128 + np.random.default_rng(0).normal(0, 2, (500, 500))  # a grey wall, seen by a noisy sensor: s = 2
wall = np.asarray(laplacian(flat)).var()
print(f"the Laplacian multiplies the variance of noise by {gain:.0f}")
print(f"a wall without one edge, s = 2: expected {gain * 2**2:.0f}, measured {wall:.1f}")

# %%
levels = [0, 0.5, 1, 1.5, 2, 3, 4]
soft = cv2.GaussianBlur(usual, (0, 0), 3)


def with_noise(face: np.ndarray, level: float) -> float:
    """Sharpness of a face to which noise of that standard deviation is added."""
    return quality.variance_of_laplacian(np.clip(face + level * noise, 0, 255).round().astype(np.uint8))


curves = {name: [with_noise(face, s) for s in levels] for name, face in (("sharp", usual), ("blurred", soft))}
lesson_03_figures.noise_figure(levels, curves)

# %% [markdown]
# **What we saw.** The Laplacian's squared weights add up to 1 + 1 + 1 + 1 + 16 = 20, so noise adds 20 *s*², edges or
# not. <!-- holds: gain == 20 and abs(wall / 80 - 1) < 0.05 -->
# In the figure, noise of two grey levels in 256, which nobody can see, lifts a badly blurred face from
# {= curves["blurred"][0] : .0f =} to {= curves["blurred"][4] : .0f =}, over the threshold.
# <!-- holds: curves["blurred"][0] < 30 < curves["blurred"][4] -->
# So the filter keeps blurred faces from grainy cameras and drops clean, soft, well-lit ones. It measures *rapid change
# of brightness*, from whatever cause.

# %% [markdown]
# ## 5 · Where do our crops lie?
#
# All people of Mini-FF++ are made from two photographs: the astronaut Eileen Collins, and Rear Admiral Grace Hopper.
# Some people's clips go out of focus or shake for a while, originals and fakes alike. Move the threshold and watch
# three things: which part of the histogram goes, from whom, and what the crops just below and above it look like.

# %%
origin = faces["target_id"].map(lesson_03.portraits(data)).fillna("unknown")
widgets.explore(
    lambda threshold: lesson_03_figures.thrown_away(faces, origin, threshold),
    threshold=(0, 400, 10, 30), states=[{"threshold": 30}],
)  # fmt: skip

# %% [markdown]
# For those who read without running: above is the figure at 30, here it is at 150. On the left are the crops of each
# photograph by sharpness, with the threshold as a dashed line. On the right is the share that goes. Below are, for
# each photograph, the last crop that goes and the first that stays.

# %%
lesson_03_figures.thrown_away(faces, origin, 150)

# %%
groups = faces.groupby(origin.rename("portrait"))["sharpness"]
by_portrait = pd.DataFrame(
    {
        "crops": groups.size(),
        "median": groups.median().round(),
        "share below 30": groups.agg(lambda values: (values < 30).mean()).round(3),
        "share below 150": groups.agg(lambda values: (values < 150).mean()).round(3),
    }
)
medians, at_30, at_150 = (by_portrait[name] for name in ("median", "share below 30", "share below 150"))
between = lesson_03.valley(faces["sharpness"].to_numpy(), medians.min(), medians.max())
near = faces["sharpness"].between(24, 36).sum()
by_portrait

# %%
lesson_03_figures.close_up(faces["sharpness"], origin)

# %% [markdown]
# **What we saw.** The low hill on the left is blur. The two high hills are not "blurred" and "sharp": they are the two
# photographs, one of them crisper than the other, with a valley near {= between : .0f =} between them.
# <!-- holds: medians.max() > 2 * medians.min() -->
# At 150 the "blur filter" sorts people by *who took their picture*: {= at_150.max() : .0 % =} of one group go, and
# {= at_150.min() : .0 % =} of the other. <!-- holds: at_150.max() > 2 * at_150.min() -->
# In real data the groups are phones and studio cameras, old clips and new ones, smooth skin and beards.
#
# And 30? It takes {= at_30.max() : .0 % =} of one group and {= at_30.min() : .0 % =} of the other, which looks fair.
# <!-- holds: at_30.max() < 2 * at_30.min() -->
# Yet it does not lie in a gap. The last figure shows the blurred hill by itself, Collins below and Hopper on top. The
# hill ends above 40, so 30 cuts *through* its right side, and {= near =} crops are within a fifth of it.
# <!-- holds: faces["sharpness"].between(30, 36).sum() > faces["sharpness"].between(40, 46).sum() -->
# <!-- holds: near > 0.01 * len(faces) --> Look at the four faces of the widget at 30. Nearly the same number belongs
# to the second picture, a soft Collins whose face you can still judge, and to the fourth, a badly smeared Hopper. Both
# stay. For the softer photograph 30 is {= 30 / medians.min() : .0 % =} of what a usual crop has, for the crisper one
# {= 30 / medians.max() : .0 % =}. <!-- holds: 30 / medians.min() > 2 * (30 / medians.max()) --> No threshold on this
# number means "blurred" for both. So look at the histogram, and at the faces beside the line, before you choose.

# %% [markdown]
# ## 6 · Whom does a filter throw away?
#
# A filter is fair only if it takes the same share from real and fake. A forger who works at low resolution pastes a
# soft face into a sharp frame; one who copies a texture with a hard seam pastes a crisp one. Whose crops will go first
# when the threshold rises? A table tells.
#
# ### Your turn · Whom does it take?
#
# *10 min, difficulty 2 of 3.* Write `share_rejected(faces, threshold)`. `faces` is a table with the columns `method`
# and `sharpness`. Return a dict (or a pandas column indexed by method): for each method, the share of *its* crops, 0 to
# 1, whose sharpness is below the threshold. The real clips have a method too, `youtube`, so this tells the classes
# apart as well. Example: if method A has the sharpnesses 10 and 50, and B has 40, then a threshold of 30 gives
# `{"A": 0.5, "B": 0.0}`.


# %%
def share_rejected(faces: pd.DataFrame, threshold: float) -> dict[str, float]:
    """For each method, the share of its crops that are less sharp than the threshold."""
    # your code here


course.check(lesson_03.SHARE_REJECTED, share_rejected)
share_rejected = course.yours(lesson_03.SHARE_REJECTED, share_rejected)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def share_rejected(faces, threshold):
#     below = faces["sharpness"] < threshold
#     return below.groupby(faces["method"]).mean().to_dict()
# ```
#
# </details>

# %%
training = faces[faces["split"] == "train"]
rejected = pd.DataFrame({f"below {threshold}": share_rejected(training, threshold) for threshold in (30, 150)})
apart = (rejected.max() - rejected.min()).max()
rejected.round(3)

# %% [markdown]
# **What we saw.** In each column the five rows lie within {= 100 * apart : .1f =} percentage points.
# <!-- holds: apart < 0.06 -->
# The blur was put on originals and fakes alike, and whoever made Mini-FF++ gave each forged face about as much detail
# as its original has. The *amount* of detail does not tell real from fake here; only its look can.
#
# That is not how forgers work. On crops of the Deepfake Detection Challenge, real deepfakes, a threshold of 30 would
# take 29 % of the reals and 42 % of the fakes (measured once; see `docs/data_tables.md`). Such a filter removes the
# fakes that are soft *because they are fakes*, the very trace that a network should learn. What is left is a data set
# in which forgers work more cleanly than they do.
#
# So `quality.filter_blurred` asks the *original*: its fakes go and stay with its crop of the same frame. And
# `torchfakes train` drops nothing by default; the lessons ask for the first project's 30. Make the table a habit: no
# filter without it. `quality.rejection_table` counts it by label, method and split.
#
# ### And if the clips are compressed harder?
#
# FF++ comes in several compressions; c23 is light, c40 is heavy. Here are the same frames, cut at the same place, from
# both. To save time, these are two frames of each clip; the table above counts all of them.

# %%
both = lesson_03.in_both(training, clips, data)
halved = both["c40"].median() / both["c23"].median()
below = {codec: (both[codec] < 30).mean() for codec in ("c23", "c40")}
print(f"{len(both)} crops; share below 30: c23 {below['c23']:.1%}, c40 {below['c40']:.1%}")
lesson_03_figures.codec_figure(both)

# %% [markdown]
# **What we saw.** Each point is one crop; below the dotted diagonal, c40 has taken sharpness away. It leaves a typical
# crop {= halved : .0 % =} of its number. <!-- holds: halved < 0.8 -->
# So more crops should fall below 30. Fewer do: {= below["c40"] : .1 % =} against {= below["c23"] : .1 % =}.
# <!-- holds: below["c40"] < below["c23"] -->
# The blurred crops, on the left, lie *above* the diagonal. <!-- holds: (both.loc[both["c23"] < 30, "c40"] >
# both.loc[both["c23"] < 30, "c23"]).mean() > 0.8 -->
# The codec turns smooth slopes into staircases, block by block, and every stair is an edge. They are sharper only for
# the Laplacian. A threshold belongs to a crop size *and* a codec.

# %% [markdown]
# ## 7 · How can a filter tell the label?
#
# Suppose that only the fakes take a detour: they are saved at a lower resolution, or go through one more codec, or are
# cut by another script. All that changes is a little blur, on one class. Here is the shortest detector in this course,
# which has never seen a forgery: *the softer, the more fake*. Its AUC is the share of pairs, one real and one fake,
# that it puts in the right order; a coin has 0.5.

# %%
question = "Only the fakes are blurred by one pixel. Which AUC does 'the softer, the more fake' reach?"
guess_auc = course.predict(question, 0.3, 1.0)

# %%
some = crop_table.limit_frames(faces, 4)
rows = []
for split, blur in [("train", 0), ("train", 0.5), ("train", 1), ("train", 1.5), ("test", 0)]:
    crops = some[some["split"] == split]
    auc, low, high = lesson_03.softness_auc(crops, lesson_03.sharpness_after(crops, blur))
    rows.append({"split": split, "blur on fakes, px": blur, "AUC": auc, "low": low, "high": high})
detour = pd.DataFrame(rows)
detour.round(2)

# %%
leak = detour.set_index(["split", "blur on fakes, px"])["AUC"]
guess_auc.answer(leak["train", 1])

# %% [markdown]
# **What we saw.** `low` and `high` are the ends of the 95 % interval. Without a detour the rule is about a coin
# ({= leak["train", 0] : .2f =}). <!-- holds: abs(leak["train", 0] - 0.5) < 0.08 -->
# A blur of one pixel, on one class only, and a rule that knows nothing about faces reaches
# {= leak["train", 1] : .2f =}. <!-- holds: leak["train", 1] > 0.8 -->
# A network would find the same rule within minutes, and its validation curve would look splendid, for the validation
# crops went through the same scripts. On honest test crops, in the last row, the rule is about a coin again.
# <!-- holds: abs(leak["test", 0] - 0.5) < 0.12 -->
#
# A *filter* can do the same. Filter both classes, and sharpness stays useless. Clean up only the fakes, "because the
# soft ones looked so bad", and the absence of soft fakes becomes the clue. Here the rule is *the sharper, the more
# fake*:

# %%
kept = {
    "no filter": training,
    "both classes at 30": quality.filter_blurred(training),
    "only fakes at 200": training[(training["label"] == 0) | (training["sharpness"] >= 200)],
    "only fakes at 300": training[(training["label"] == 0) | (training["sharpness"] >= 300)],
}
counts = {name: crops["label"].value_counts() for name, crops in kept.items()}
clue = {name: 1 - lesson_03.softness_auc(crops, crops["sharpness"].to_numpy())[0] for name, crops in kept.items()}
table = {name: {"real": counts[name][0], "fake": counts[name][1], "AUC": round(clue[name], 2)} for name in kept}
pd.DataFrame(table).T.astype({"real": int, "fake": int})

# %% [markdown]
# **What we saw.** With both classes filtered alike, the AUC stays near 0.5.
# <!-- holds: abs(clue["both classes at 30"] - 0.5) < 0.08 -->
# With the fakes alone it rises to {= clue["only fakes at 300"] : .2f =}.
# <!-- holds: clue["only fakes at 300"] > clue["only fakes at 200"] > clue["no filter"] + 0.05 -->
# Whatever you do to crops, do it to both classes alike, with the same code, and measure afterwards. If one number,
# sharpness or file size or brightness, tells real from fake by itself, a network will use it. Mini-FF++ has a test
# that keeps each such clue below an AUC of 0.65. The last two rows of the table would fail it.
# <!-- holds: min(clue["only fakes at 200"], clue["only fakes at 300"]) > 0.65 > clue["both classes at 30"] -->
# Your own data set should have such a test too.

# %% [markdown]
# ## 8 · May I filter the test crops?
#
# The course's detector (you train it in lesson 05) has judged the test crops. We mark it three times: on all of them,
# without the blurred ones, and on the blurred alone.

# %%
options = ["rises", "stays", "falls"]
guess_exam = course.predict("You drop the blurred crops from the exam. What does its AUC do?", options=options)

# %%
scores = read_table(course.ensure("scores"), ["path", "label", "probability_fake"])
judged = scores.merge(faces[["path", "sharpness"]], on="path")
is_blurred = judged["sharpness"] < quality.SHARPNESS_THRESHOLD
exams = {"all test crops": judged, "without the blurred": judged[~is_blurred], "the blurred alone": judged[is_blurred]}
rows = {}
for name, crops in exams.items():
    result = binary.binary_metrics(crops["label"], crops["probability_fake"])
    low, high = intervals.bootstrap_interval(crops) or (np.nan, np.nan)
    rows[name] = {key: result[key] for key in ("n_real", "n_fake", "auc")} | {"low": low, "high": high}
exam = pd.DataFrame(rows).T.astype({"n_real": int, "n_fake": int}).round(3)
exam

# %%
change = exam["auc"]["without the blurred"] - exam["auc"]["all test crops"]
guess_exam.answer("rises" if change > 0.001 else "falls" if change < -0.001 else "stays")

# %% [markdown]
# **What we saw.** The network is the same, and its mark rises by {= change : .3f =} when the blurred questions are left
# out. <!-- holds: change > 0 -->
# The last row says what was hidden: on the blurred crops the AUC is {= exam["auc"]["the blurred alone"] : .3f =}, lower
# than on the others. <!-- holds: exam["auc"]["the blurred alone"] < exam["auc"]["without the blurred"] -->
# These are few crops of few people, {= exam["n_real"]["the blurred alone"] =} real ones, and the interval runs from
# {= exam["low"]["the blurred alone"] : .2f =} to {= exam["high"]["the blurred alone"] : .2f =}. Take it as "worse", not
# as a number.
#
# Are blurred faces hard for every network? This network never saw a blurred crop in training, since the lessons dropped
# all below 30 there. <!-- holds: '"min_sharpness": 30.0' in (course.paths().run / "config.json").read_text() --> So it
# may be that blur hides the traces, or that the network never learned to see them there. We cannot tell which it is.
# Either way a blurred test crop is not a wrong question: it is what a user with a shaky phone will send. If you drop
# it, say so next to the number, or build a detector that answers "cannot tell" and count these answers.
# `quality.filter_blurred` therefore drops training crops only, unless you name another split yourself.

# %% [markdown]
# ## Open challenge
#
# Find a measure of sharpness that ranks the six faces of section 4 as you would. Nobody has a reference answer. You got
# somewhere if noise no longer raises it, half the contrast does not quarter it, and the two photographs of section 5
# share one hill.

# %% [markdown]
# ## Quiz

# %%
course.quiz("03")

# %% [markdown]
# ## Misconceptions
#
# - *"30 is a property of blur."* It belongs to a crop size, a codec and a camera. Cut at 80 px instead of 320, the same
#   face scores {= factor : .0f =} times as much.
# - *"A filter only removes bad data."* It removes somebody's data. One that removes more of one class is a label leak;
#   one that removes more of one camera is a bias.
# - *"Noisy pictures look unsharp, so they will be filtered."* Noise raises the number.
# - *"A cleaner test set is a better test set."* It is an easier one.

# %% [markdown]
# ## Recap
#
# - The Laplacian answers where brightness bends; its variance is one number for sharpness.
# - Size moves it as much as blur does; contrast, noise and compression move it, too. Fix the size, look at the
#   histogram, then choose.
# - Count what goes, for each class and method, before you let it go.
# - Treat both classes alike. Leave the test split alone, or say what you took.
#
# **What this would have told the team.** "Below 30" said nothing about blur until they named the crop size, and a table
# of whose crops went would have shown whether their filter had told the network the label.

# %% [markdown]
# ## Next
#
# [04 · An honest data set](04_honest_data_set.ipynb): the team's validation accuracy is 96 %. How much is it worth?

# %% [markdown]
# <details><summary>For whoever teaches this</summary>
#
# Draw one row of pixels as a staircase on the board, let the room compute left + right − twice the middle for a slope
# and for a step, then smooth the step and compute again. The room stops at two places: why noise *raises* the number
# (write 20 *s*² beside the kernel, weight by weight), and at section 7, where people object that nobody would blur one
# class. Ask them how their own real and fake files were made: by the same program, saved by the same person? If ten
# minutes are missing, leave out c40 in section 6 and "What noise adds"; never the rejection table.
#
# </details>

# %% [markdown]
# ## Sources
#
# - J. L. Pech-Pacheco, G. Cristóbal, J. Chamorro-Martínez, J. Fernández-Valdivia: *Diatom autofocusing in brightfield
#   microscopy: a comparative study.* ICPR 2000. The variance of the Laplacian as a measure of focus.
# - S. Pertuz, D. Puig, M. A. Garcia: *Analysis of focus measure operators for shape-from-focus.* Pattern Recognition
#   46 (5), 2013. Thirty-six measures compared.
# - R. Geirhos et al.: *Shortcut learning in deep neural networks.* Nature Machine Intelligence 2, 2020. Why a network
#   takes the easiest cue.
# - A. Rössler et al.: *FaceForensics++: Learning to detect manipulated facial images.* ICCV 2019. The compressions
#   c23 and c40.
