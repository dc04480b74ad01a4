# ---
# jupyter:
#   torchfakes:
#     needs: [clips, faces, scores]
# ---

# %% [markdown]
# # 03 · Sharp enough?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/main/notebooks/03_sharp_enough.ipynb)
#
# **In this lesson you turn "blurred" into a number, find out what else moves that number, and see how a harmless
# filter can hand the answer to a network.**
#
# - **You will be able to** slide a Laplacian over a face by hand, measure sharpness, choose a threshold with open
#   eyes, count whom it throws away, and recognise a filter that leaks the label.
# - **You need** NumPy slicing. Lesson 02 made the crops, but is not needed.
# - **Time:** about 30 min to read, 20 s to run on two CPU cores.
#
# When our bootcamp team's detector failed, the first suspect was quickly named: "the data was blurry". So they threw
# out every crop whose sharpness was below 30. Why 30, at which size, and whose crops went? Nobody had asked. This
# lesson is the asking.

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
import cv2
import numpy as np
import pandas as pd

from torchfakes_utils.course import lesson_03, widgets
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
# The picture smears for a while and clears again; the number above each crop falls and rises with it. On the right
# you would hesitate to say which row is the fake. What does the number measure?

# %% [markdown]
# ## 1 · What does a blurred face lack?
#
# Take one line of pixels, straight across the eyes, in the sharpest and in the most blurred of these frames. Walk
# along it and ask at each pixel: is it brighter or darker than the middle between its two neighbours? That is the
# **second difference**: left + right − twice the middle.
#
# > **Predict first.** On a smooth slope of skin, from dark to bright, is the second difference large, small, or zero?
# > And at the edge of an eyelid?

# %%
sharp, blurred = pictures[0], pictures[3]
lesson_03.edges_figure({"sharp": sharp, "blurred": blurred}, row=60)

# %% [markdown]
# **What we saw.** Both lines have the same hills and valleys: the blurred face still has dark eyes and a bright nose.
# What is gone are the *sudden* changes. A slope, however steep, gives zero; only where brightness bends does the
# second difference answer. Blur has straightened the bends.

# %% [markdown]
# ## 2 · How do you slide it over a picture?
#
# In two dimensions a pixel has four neighbours: the second difference along the row plus the one along the column.
# Written as weights for a 3×3 window, this is the **Laplacian**:
#
# $$\begin{pmatrix}0&1&0\\1&-4&1\\0&1&0\end{pmatrix}$$
#
# > **Predict first.** Below is a small picture: dark on the left, bright on the right. Its Laplacian has two columns
# > that are not zero. Which signs do they have?


# %% tags=["nbval-check-output"]
def laplacian(grey: np.ndarray) -> np.ndarray:
    """Sum of the four neighbours minus four times the middle; (H, W) to (H, W)."""
    grey = np.pad(grey.astype(float), 1, mode="reflect")  # a border pixel sees its inner neighbour on both sides
    above, below = grey[:-2, 1:-1], grey[2:, 1:-1]
    left, right = grey[1:-1, :-2], grey[1:-1, 2:]
    return above + below + left + right - 4 * grey[1:-1, 1:-1]


step = np.array([[10, 10, 10, 200, 200, 200]] * 3, np.uint8)
print(step, "\n\n", laplacian(step).astype(int), sep="")

# %% [markdown]
# Minus follows plus: each edge answers twice, once on either side. Now a whole face, and the same thing done
# properly, by OpenCV.

# %% tags=["nbval-check-output"]
grey = cv2.cvtColor(sharp, cv2.COLOR_RGB2GRAY)
by_hand, by_library = laplacian(grey), cv2.Laplacian(grey, cv2.CV_64F)
print("same shape:", by_hand.shape == by_library.shape, "  largest difference:", np.abs(by_hand - by_library).max())

# %%
answers = [cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_64F) for picture in (sharp, blurred)]
shown = [np.clip(128 + 3 * answer, 0, 255).astype(np.uint8) for answer in answers]  # grey is zero
names = ["sharp", "its Laplacian", "blurred", "its Laplacian"]
plots.images([sharp, shown[0], blurred, shown[1]], names, title="Grey means no answer", inches=1.7)

# %% [markdown]
# **What we saw.** Four lines of slicing and OpenCV agree to the last digit, border included. In the sharp face every
# wrinkle and the rim of the glasses answer. The blurred face is nearly silent. What is left are lines along the
# direction in which the camera shook: moving an edge along itself does not blur it.
#
# **Break it.** Pictures are `uint8`, and so is what OpenCV returns if you ask for it with −1 ("as the input"). Half
# of each edge is negative.

# %% tags=["nbval-check-output"]
print("float64:", cv2.Laplacian(step, cv2.CV_64F)[0].astype(int))
print("uint8:  ", cv2.Laplacian(step, -1)[0], " <- the negative half is gone, without a word")

# %% [markdown]
# ## 3 · How does a picture become one number?
#
# A sharp face answers strongly in some places and not in others; a blurred one answers nowhere. So take the spread of
# all answers, their **variance**. That is the whole method (Pech-Pacheco et al., 2000).
# `faces.quality.variance_of_laplacian` does it, and brings every crop to 160×160 px first; section 4 shows why.
#
# > **Predict first.** We blur the sharp face a little, with a Gaussian whose standard deviation is one pixel. You can
# > hardly see it. How much of the number is left: nine tenths, half, a fifth?

# %%
print(f"by hand {laplacian(grey).var():.3f}, package {quality.variance_of_laplacian(sharp):.3f}\n")

ladder = {0: sharp} | {sigma: cv2.GaussianBlur(sharp, (0, 0), sigma) for sigma in (0.5, 1, 2, 3)}
titles = [f"blur {sigma:g} px: {quality.variance_of_laplacian(face):.0f}" for sigma, face in ladder.items()]
plots.images(list(ladder.values()), titles, title="The number falls long before you see much")

# %% [markdown]
# **What we saw.** The number is far more sensitive than your eye: one pixel of blur takes most of it. That is an
# advantage if you look for a lens out of focus. It is a warning as well: other small things may move it just as far.

# %% [markdown]
# ## 4 · Is 30 a property of blur?
#
# The first TorchFakes project called a crop blurred when its number was below **30**, and so does
# `faces.config.SHARPNESS_THRESHOLD`. Let us treat *one* face in six ways. It is cut from its video at three sizes: 80,
# 160 and 320 px. Then, always at 160 px, it gets some noise, or half the contrast, or it is cut from the same video in
# its harsher compression, c40.
#
# > **Predict first.** The same frame of the same video, cut at 80, 160 and 320 px: which of the three has the
# > *highest* number, and by what factor does it beat the lowest?

# %%
clips, data = read_table(course.ensure("clips"), CLIP_COLUMNS), course.paths().data
row = real.iloc[0]
small, usual, large = (lesson_03.cut_again(row, clips, data, "c23", size) for size in (80, 160, 320))
noise = np.random.default_rng(0).normal(0, 1, (160, 160, 1))
noisy = np.clip(usual + 5 * noise, 0, 255).round().astype(np.uint8)
pale = (usual // 2 + 64).astype(np.uint8)
heavy = lesson_03.cut_again(row, clips, data, "c40")

cases = {"80 px": small, "160 px": usual, "320 px": large, "noise": noisy, "half contrast": pale, "c40": heavy}
titles = [f"{name}: {quality.variance_of_laplacian(face, size=len(face)):.0f}" for name, face in cases.items()]
plots.images(list(cases.values()), titles, title="One face, six “sharpnesses”")

# %% [markdown]
# **What we saw.** The small crop wins by far, although it holds the *least* detail: shrinking turns a slope of four
# pixels into a step of one. Enlarging stretches every edge, and the number collapses. A threshold of 30 says nothing
# until you say for which size.
#
# Contrast enters as a square: half the contrast, a quarter of the number. A dark face is not a blurred face, but the
# filter cannot tell. Compression takes fine edges away. And noise *raises* the number. That one deserves a closer
# look, since it goes the wrong way.
#
# ### What noise adds
#
# Let each pixel err by itself, with standard deviation *s*. The Laplacian adds five of them, weighted 1, 1, 1, 1 and
# −4. Variances of independent errors add up with squared weights: (1 + 1 + 1 + 1 + 16) *s*² = 20 *s*².

# %% tags=["nbval-check-output"]
kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
print("sum of squared weights:", (kernel**2).sum())
flat = 128 + np.random.default_rng(0).normal(0, 2, (1000, 1000))  # a grey wall, seen by a noisy sensor: s = 2
print(f"a wall without one edge scores {laplacian(flat).var():.0f}; expected {20 * 2**2}")

# %%
levels = [0, 0.5, 1, 1.5, 2, 3, 4]
soft = cv2.GaussianBlur(usual, (0, 0), 3)


def with_noise(face: np.ndarray, level: float) -> float:
    """Sharpness of a face to which noise of that standard deviation is added."""
    return quality.variance_of_laplacian(np.clip(face + level * noise, 0, 255).round().astype(np.uint8))


curves = {name: [with_noise(face, s) for s in levels] for name, face in (("sharp", usual), ("blurred", soft))}
lesson_03.noise_figure(levels, curves)

# %% [markdown]
# **What we saw.** Noise of one or two grey levels in 256, which nobody can see, lifts a badly blurred face over the
# threshold. So the filter keeps blurred faces from grainy cameras and drops clean, soft, well-lit ones. It measures
# *rapid change of brightness*, from whatever cause.
#
# ### Does the package's resizing help?
#
# `variance_of_laplacian` brings every crop to 160 px before it measures, so that one threshold means one thing. What
# it cannot do is bring back what a small crop has lost:

# %%
for name in ("80 px", "160 px", "320 px"):
    own = quality.variance_of_laplacian(cases[name], size=len(cases[name]))
    common = quality.variance_of_laplacian(cases[name])
    print(f"cut at {name:>6}: at its own size {own:7.1f}   brought to 160 px {common:7.1f}")

# %% [markdown]
# At a common size the order is right at last: the more pixels a crop had, the sharper it is. Faces that are small in
# their frame will come out as "blurred", and in a sense they are.
#
# **Break it.** In the cell of six faces, replace `5 * noise` by `20 * noise`, or cut at 40 px. How high can you drive
# the number without adding any detail?

# %% [markdown]
# ## 5 · Where do our crops lie?
#
# Now all crops of Mini-FF++. Its makers let some people's clips go out of focus or shake for a while: originals and
# fakes alike.
#
# > **Predict first.** Blurred crops are a minority. Do you expect a histogram with one hill and a tail, or with two
# > hills?
#
# Move the threshold and watch three things: which part of the histogram goes, from whom, and what the crops just
# below and just above it look like.

# %%
widgets.explore(lambda threshold: lesson_03.thrown_away(faces, threshold), threshold=(0, 400, 10, 30))

# %% [markdown]
# For those who read without running: above is the figure at 30, here it is at 150.

# %%
lesson_03.thrown_away(faces, 150, crops=False)

# %%
lesson_03.either_side(faces, 150)

# %% [markdown]
# **What we saw.** Three hills. The low one on the left is blur. But the deep valley lies between the two others, and
# the crops on both sides of 150 look equally sharp. Who is on which side of that valley?

# %%
origin = faces["target_id"].map(lesson_03.portraits(data)).fillna("unknown")
groups = faces.groupby(origin.rename("portrait"))["sharpness"]
pd.DataFrame(
    {
        "crops": groups.size(),
        "median": groups.median().round(),
        "share below 30": groups.agg(lambda values: (values < 30).mean()).round(2),
        "share below 150": groups.agg(lambda values: (values < 150).mean()).round(2),
    }
)

# %% [markdown]
# All people of Mini-FF++ are made from two photographs, and one photograph is crisper than the other. At 150 the
# "blur filter" sorts people by *who took their picture*: it throws out more than half of one group, and of the other
# little more than what is really blurred. In real data the groups are phones against studio cameras, old clips
# against new ones, smooth skin against beards. Here 30 lies between the blurred hill and the others. That is luck,
# and it is why you look at the histogram first.

# %% [markdown]
# ## 6 · Whom does a filter throw away?
#
# A filter is fair only if it takes the same share from real and fake. `faces.quality.rejection_table` counts, for each
# label, method and split. Make it a habit: no filter without its table.
#
# > **Predict first.** A forger who works at low resolution pastes a soft face into a sharp frame; one who copies a
# > texture with a hard seam pastes a crisp one. Whose crops will go first when the threshold rises? Will you see it in
# > Mini-FF++?

# %%
training = faces[faces["split"] == "train"]
table = quality.rejection_table(training, threshold=30)
table["share below 150"] = quality.rejection_table(training, threshold=150)["share"]
table.round(3)

# %% [markdown]
# **What we saw.** At both thresholds all five rows are nearly alike. The blur was put on originals and fakes alike, and
# whoever made Mini-FF++ gave each forged face about as much detail as its original has: how *much* there is tells
# nothing, only what it looks like. That is not how forgers work. In an earlier Mini-FF++ nobody had seen to it, and a
# threshold of 150 took two to three Deepfakes for each FaceSwap: it removed the fakes that were soft *because they were
# fakes*, the very trace that a network should learn. What is left then is a data set in which forgers work more cleanly
# than they do.
#
# And on crops of the Deepfake Detection Challenge, real deepfakes, already 30 would take 29 % of the reals and 42 % of
# the fakes. So `quality.filter_blurred` asks the *original*: its fakes go and stay with its crop of the same frame. And
# `torchfakes train` drops nothing by default (`--min-sharpness 0`); the lessons ask for the first project's 30.
#
# ### And if the clips are compressed harder?
#
# FF++ comes in several compressions; c23 is light, c40 is heavy. Here are the same frames, cut at the same place,
# from both: two of each clip, so that it takes seconds. Compare c40 with c23, then, and neither with the table above,
# which counts every crop.

# %%
both = lesson_03.in_both(training, clips, data)
print(f"median: c23 {both['c23'].median():.0f}, c40 {both['c40'].median():.0f}")
print(f"share below 30: c23 {(both['c23'] < 30).mean():.1%}, c40 {(both['c40'] < 30).mean():.1%}")
print(f"crops that c40 made “sharper”: {(both['c40'] > both['c23']).mean():.1%}")
lesson_03.codec_figure(both)

# %% [markdown]
# **What we saw.** Heavy compression takes about half of the number from a typical crop. So more crops should fall
# below 30. Fewer do: many blurred crops go the *other* way, because the codec turns smooth slopes into staircases,
# block by block, and every stair is an edge. Sharper only for the Laplacian. A threshold belongs to a crop size *and*
# a codec.

# %% [markdown]
# ## 7 · How can a filter tell the label?
#
# Suppose that only the fakes take a detour: they are saved at a lower resolution, or go through one more codec, or
# are cut by another script. All that changes is a little blur, on one class. Here is the shortest detector in this
# course; it has not seen one forgery: P(fake) = 30 / (30 + sharpness), the softer the faker.
#
# > **Predict first.** Its AUC (the share of pairs, one real and one fake, that it puts in the right order) is about
# > 0.5 on our crops, a coin's. Now only the fakes are blurred by one pixel. What will the AUC be?

# %%
some = crop_table.limit_frames(faces, 4)


def auc_of_softness(sigma: float, split: str) -> dict:
    """AUC by clip of the one-line detector when the fakes of that split are blurred by `sigma` pixels."""
    crops = some[some["split"] == split]
    value = [
        quality.variance_of_laplacian(cv2.GaussianBlur(plots.face(crop.file), (0, 0), sigma))
        if crop.label and sigma else crop.sharpness
        for crop in crops.itertuples()
    ]  # fmt: skip
    by_clip = binary.by_clip(crops.assign(probability_fake=30 / (30 + np.array(value))))
    auc = binary.binary_metrics(by_clip["label"], by_clip["probability_fake"])["auc"]
    low, high = intervals.bootstrap_interval(by_clip)
    interval = f"{low:.2f} to {high:.2f}"
    return {"split": split, "blur on fakes, px": sigma, "AUC": round(auc, 2), "95 % interval": interval}


pd.DataFrame([auc_of_softness(sigma, "train") for sigma in (0, 0.5, 1, 1.5)] + [auc_of_softness(0, "test")])

# %% [markdown]
# **What we saw.** A blur of one pixel, on one class only, and a rule that knows nothing about faces nearly separates
# them. A network would find the same rule within minutes, and its validation curve would look splendid, for the
# validation crops went through the same scripts. On the honest test crops (last row) the rule is a coin again.
#
# A *filter* can do the same. Filter both classes, and sharpness stays useless. Clean up only the fakes, "because the
# soft ones looked so bad", and the absence of soft fakes becomes the tell:

# %%
kept = {
    "no filter": training,
    "both classes at 30": quality.filter_blurred(training),
    "only fakes at 150": training[(training["label"] == 0) | (training["sharpness"] >= 150)],
    "only fakes at 300": training[(training["label"] == 0) | (training["sharpness"] >= 300)],
}
rows = []
for name, crops in kept.items():
    result = binary.binary_metrics(crops["label"], crops["sharpness"] / (30 + crops["sharpness"]))
    auc = round(result["auc"], 2)
    rows.append({"filter": name, "real": result["n_real"], "fake": result["n_fake"], "AUC of “sharp = fake”": auc})
pd.DataFrame(rows)

# %% [markdown]
# Whatever you do to crops, do it to both classes alike, with the same code, and measure afterwards. If one number,
# sharpness or file size or brightness, tells real from fake by itself, a network will use it. Mini-FF++ has a test
# that keeps each such cue below an AUC of 0.65. Your own data set should have one too.

# %% [markdown]
# ## 8 · May I filter the test crops?
#
# > **Predict first.** The course's detector (you train it in lesson 05) has judged the test crops. Is it better or
# > worse on blurred ones? What happens to its mark if you drop them from the exam?

# %%
scores = read_table(course.ensure("scores"), ["path", "label", "probability_fake"])
judged = scores.merge(faces[["path", "sharpness"]], on="path")
exams = {
    "all test crops": judged,
    "without the blurred": judged[judged["sharpness"] >= quality.SHARPNESS_THRESHOLD],
    "the blurred alone": judged[judged["sharpness"] < quality.SHARPNESS_THRESHOLD],
}
rows = []
for name, crops in exams.items():
    result = binary.binary_metrics(crops["label"], crops["probability_fake"])
    rows.append({"exam": name} | {key: result[key] for key in ("n_real", "n_fake", "auc", "balanced_accuracy")})
pd.DataFrame(rows).round(3)

# %% [markdown]
# **What we saw.** Compare the first two rows: the network is the same, the mark is not. The last row shows what the
# difference hides. There are few blurred crops, from few clips, so its numbers are rough; still they are what a user
# with a shaky phone would meet.
#
# A blurred test crop is a hard question, not a wrong one. If you drop it, say so next to the number, or build a
# detector that answers "cannot tell" and count these answers. `faces.quality.filter_blurred` therefore drops training
# crops only, unless you name the split yourself:

# %% tags=["nbval-check-output"]
before = faces["split"].value_counts()
for name, options in {"as it comes": {}, "asked for by name": {"splits": ("train", "test")}}.items():
    after = quality.filter_blurred(faces, **options)["split"].value_counts()
    print(f"{name:>17}: drops crops of", ", ".join(s for s in ("train", "val", "test") if after[s] < before[s]))

# %% [markdown]
# ## Exercises
#
# Exercises with checks come with a later edition; until then, try:
#
# - Write `laplacian` with two `for` loops and no slicing, and check it against `cv2.Laplacian`. How much slower is
#   it?
# - Use the kernel with eight neighbours, `[[1, 1, 1], [1, -8, 1], [1, 1, 1]]`. How large is its noise term, by theory
#   and on the grey wall?
# - In section 7, replace the blur on fakes by noise of one grey level on fakes. Which way does the AUC go, and would
#   a network mind?
#
# **Open challenge.** Find a measure of sharpness that ranks the six faces of section 4 as you would. You got
# somewhere if noise no longer raises it and half the contrast does not quarter it.

# %% [markdown]
# ## Misconceptions
#
# - *"30 is a property of blur."* It belongs to a crop size, a codec and a camera. At another size the same face
#   scores some twenty times as much.
# - *"A filter only removes bad data."* It removes somebody's data. One that removes more of one class is a label
#   leak; one that removes more of one camera is a bias.
# - *"Noisy pictures look unsharp, so they will be filtered."* Noise raises the number.
# - *"A cleaner test set is a better test set."* It is an easier one.

# %% [markdown]
# ## Recap
#
# - The Laplacian answers where brightness bends; its variance is one number for sharpness.
# - Size, contrast, noise and compression move it as much as blur does. Fix the size; look at the histogram; then
#   choose.
# - Count what goes, for each class, method and split, before you let it go.
# - Treat both classes alike. Leave the test split alone, or say what you took.

# %% [markdown]
# ## Next
#
# [04 · An honest data set](04_honest_data_set.ipynb): the team's crops are sharp now, and their validation accuracy
# is 96 %. Why is it worth nothing?

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
