# %% [markdown]
# # 07 · Where does it look?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/main/notebooks/07_where_does_it_look.ipynb)
#
# **Build Grad-CAM from two hooks, and then make it prove itself: against a network that has learned nothing, against
# five landmarks, and against the mask of the forgery.**
#
# - **You will be able to** compute a heat map from activations and gradients, choose a layer and say what its
#   resolution hides, test a map against a network that knows nothing, measure attention by face region with intervals
#   by clip, and compare a map with the place that was really edited.
# - **You need** lessons 05 and 06; or, what a convolution's channels are, and why intervals are taken by clip.
# - **Time:** about 25 min to read, 60 s to run on two CPU cores.

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

from torchfakes_utils import explanation
from torchfakes_utils.course import lesson_07
from torchfakes_utils.detector import load

model = load(course.ensure("run"))
faces = course.faces_table("test")
shown = lesson_07.varied_pairs(faces, 5)  # five people, each real and forged in the same frame
n = len(shown) // 2  # the fake of row k is n rows further down
photos = [plots.face(file) for file in shown["file"]]
truth = np.array(plots.NAMES)[shown["label"]]
maps = lesson_07.heat_maps(model, shown, truth)
titles = list(np.where(truth == "real", "real", shown["method"]))
overlays = [explanation.overlay(*pair) for pair in zip(photos, maps, strict=True)]
plots.images(overlays, titles, 5, "What spoke for the truth, says Grad-CAM", list(shown["label"]))

# %% [markdown]
# When the team at last had a model that worked, they drew pictures like these, looked at some dozens, and wrote into
# their report: on *real* faces the network looks at **chin and mouth**, on *fake* ones at **nose and mouth**. It is a
# fair thing to notice. Is it a finding? In this lesson you learn how such a picture is made, and then what it takes
# to believe one.

# %% [markdown]
# ## How do you ask a network where it looked?
#
# A convolutional layer turns the crop into a stack of small pictures, its *channels*: each one is bright where the
# layer found what that channel stands for. Two questions make a heat map of them:
#
# 1. What did each channel see, and where? That is the **activation** $A_k$, on the way forward.
# 2. If this channel grew a little, would the logit rise or fall? That is the **gradient** of the logit, on the way
#    back.
#
# Grad-CAM averages the gradient over all places into one weight a channel, adds the channels up with these weights,
# and keeps what is positive:
#
# $$\alpha_k = \frac{1}{Z}\sum_{i,j}\frac{\partial y}{\partial A_k^{ij}},
# \qquad \text{map} = \mathrm{ReLU}\Big(\sum_k \alpha_k A_k\Big)$$
#
# > **Predict first.** The layer `repeat_2` has 896 channels. How large do you think its small pictures are, for a
# > crop of 160 pixels?
#
# PyTorch lets you listen at any layer with a **hook**: a function that is called whenever data passes.

# %%
import torch

from torchfakes_utils.dataset import read_crop

crops = torch.stack([read_crop(file) for file in shown["file"]])  # (10, 3, 160, 160) uint8
surest = n + int(model.probability(crops)[n:].argmax())  # the fake of which it is most sure
image = model.preprocessing.apply(crops[[surest]])  # (1, 3, S, S)

kept = {}
layer = model.feature_layers["repeat_2"]
forward = layer.register_forward_hook(lambda layer, inputs, output: kept.update(activation=output))
backward = layer.register_full_backward_hook(lambda layer, into, out: kept.update(gradient=out[0]))
model(image).sum().backward()  # there, past the first hook, and back, past the second
forward.remove(), backward.remove(), model.zero_grad()

activation, gradient = kept["activation"][0].detach(), kept["gradient"][0]
weights = gradient.mean(dim=(1, 2))  # one number a channel
small = torch.relu((weights[:, None, None] * activation).sum(dim=0)).numpy()
print("activation and gradient:", tuple(activation.shape), " map:", small.shape)

# %% [markdown]
# That is all of Grad-CAM. Here are its parts: the two channels that added most to the logit, the sum of all channels
# as it is, and the sum enlarged to the crop.

# %%
import cv2

added = (weights[:, None, None] * activation).sum(dim=(1, 2))
first, second = torch.argsort(added, descending=True)[:2].tolist()
large = cv2.resize(small, image.shape[:1:-1], interpolation=cv2.INTER_LINEAR)
by_hand = (large - large.min()) / (large.max() - large.min())  # coldest place 0, hottest 1
parts = [activation[first].numpy(), activation[second].numpy(), small]
pictures = [photos[surest], *(np.uint8(255 * part / part.max()) for part in parts)]
pictures.append(explanation.overlay(photos[surest], by_hand))
names = ["the crop", f"channel {first}", f"channel {second}", "weighted sum of all", "enlarged"]
plots.images(pictures, names, title="A heat map is a weighted sum of small pictures, enlarged")

# %% [markdown]
# Now properly. `explanation.grad_cam` goes through the library `pytorch-grad-cam`, in batches, on a frozen network,
# for any layer. It has to give the same.

# %% tags=["nbval-check-output"]
library = explanation.grad_cam(model, image, layer="repeat_2", target="fake")[0]
print("same shape:", library.shape == by_hand.shape)
print("the same to three digits:", np.allclose(library, by_hand, atol=1e-3))

# %% [markdown]
# **What we saw.** Two hooks and three lines of arithmetic, and nothing in them knows what a face is. Mind what the
# last step does: every map is stretched to its own range, so that its hottest place is 1, *however little* it
# mattered. Two maps can be compared in where, never in how much. And the smooth glow is our doing: the layer gave a
# handful of squares.

# %% [markdown]
# ## Which layer should you ask?
#
# Deeper layers know more and see less sharply. The original paper takes the last convolution. In the networks of that
# paper it still has 14 by 14 or 7 by 7 places.
#
# > **Predict first.** How many places does `block8`, the last block of InceptionResnetV1, have at 160 pixels?

# %% tags=["nbval-check-output"]
sizes = {}
for name, layer in model.feature_layers.items():
    sizes[name] = []
    keep = sizes[name].append
    hook = layer.register_forward_hook(lambda layer, inputs, output, keep=keep: keep(output.shape[1:]))
    with torch.no_grad():
        for size in (128, 160, 224):
            model(torch.zeros(1, 3, size, size))
    hook.remove()
print("layer        channels   at 128 px   at 160 px   at 224 px   one place, at 160 px")
for name, shapes in sizes.items():
    grids = "".join(f"{f'{rows} × {columns}':>12}" for _, rows, columns in shapes)
    print(f"{name:12s}{shapes[0][0]:9d}{grids}{160 / shapes[1][1]:14.0f} px")

# %%
names = ["conv2d_4b", "repeat_1", "repeat_2", "repeat_3", "block8"]
one = shown.iloc[[surest]]
by_layer = [lesson_07.heat_maps(model, one, ["fake"], name)[0] for name in names]
pictures = [explanation.overlay(photos[surest], heat) for heat in by_layer]
plots.images(pictures, names, title="Same network, same face, same answer: only the layer differs")

# %% [markdown]
# Look for yourself: another face, another layer, another target.

# %%
from torchfakes_utils.course import widgets


def look(face: int, layer: str, target: str):
    return lesson_07.look(model, shown, face, layer, target)


widgets.explore(
    look, face=(0, len(shown) - 1, 1, surest), layer=["repeat_2", *sizes], target=["fake", "real"]
)

# %% [markdown]
# **What we saw.** At 160 px `block8` has nine places in all: it can say "upper left", not "left eye". The shallow
# layers are fine, but know edges rather than faces. `repeat_2` is the compromise that this package takes by default;
# one of its places is still about as wide as an eye. Nothing in the method tells you which layer is right, and the
# picture changes with the choice. **Whoever shows one map has made that choice for you.**

# %% [markdown]
# ## Does it look where the fake is?
#
# FaceForensics++ comes with masks: for every fake, a second video that is white where the frame was edited. So does
# Mini-FF++; `faceforensics.mask_path` says where it lies. A crop's row in `faces.csv` keeps the square that was cut
# out of the frame, `x1` to `y2`, and the same square cut out of the mask fits the crop.
#
# > **Predict first.** For which of the four methods should the heat lie lowest in the face?

# %%
data = course.paths().data
pictures, names = [], []
for k in range(min(n, 4)):  # one row a method
    mask = lesson_07.crop_mask(shown.iloc[n + k], data)
    fake = photos[n + k]
    edit = fake if mask is None else lesson_07.outline(fake, mask)
    pictures += [photos[k], overlays[k], fake, edit, overlays[n + k]]
    names += ["real", "spoke for “real”", shown["method"][n + k], "the edit", "spoke for “fake”"]
plots.images(pictures, names, 5, "The same frame, real and forged; where it was edited, and where the heat is")

# %% [markdown]
# **What we saw.** Go through the rows and say for each: is the heat inside the outline, on its border, or elsewhere?
# Most people find a story for every row. That is the trouble: *inside* confirms that the network found the forgery,
# *border* that it found the seam, *outside* that it uses context. A picture that fits every story tests none. Two
# tests follow.

# %% [markdown]
# ## Would a network that knows nothing look different?
#
# Here is the simplest of them (Adebayo et al., 2018). Take a network of the same architecture with **random
# weights**: it has never seen a face. Draw its maps too.
#
# > **Predict first.** What will the random network's maps look like: grey noise? nothing at all? Then look at the two
# > rows below, and say which row is the trained network's.

# %%
from torchfakes_utils.detector import DetectorConfig
from torchfakes_utils.pretrained import build_detector

torch.manual_seed(0)
untrained, _ = build_detector(DetectorConfig(pretrained=None, preprocessing=model.preprocessing))
untrained.eval()

chances = {"trained": model.probability(crops), "untrained": untrained.probability(crops)}
answer = plots.NAMES[int(chances["untrained"].mean() >= 0.5)]  # it gives all faces the same one
random_maps = lesson_07.heat_maps(untrained, shown, [answer] * len(shown))

rows = [("trained", maps), ("untrained", random_maps)]
np.random.default_rng(7).shuffle(rows)
pictures = [explanation.overlay(photos[i], row[i]) for _, row in rows for i in range(n, 2 * n)]
names = [f"row {letter}" for letter in "AB" for _ in range(n)]
plots.images(pictures, names, n, "One of these rows was drawn by a network that knows nothing")

# %% [markdown]
# Decide, and then run the next cell.

# %%
for letter, (name, _) in zip("AB", rows, strict=True):
    low, high = chances[name].min(), chances[name].max()
    print(f"row {letter}: {name:9s}  P(fake) of the ten faces from {low:.3f} to {high:.3f}")

# %% [markdown]
# **What we saw.** The untrained network gives every face the same answer, next to a coin's: it knows nothing and has
# nothing to explain. Its maps glow all the same, on an eye here and a mouth there, because random convolutions answer
# to contrast too, and because the stretch makes the hottest place bright whatever it is. Had you met that row alone,
# in a report, would you have doubted it? **That a map looks plausible is no evidence that the network has learned
# anything.** What counts is how it *differs* from the map of a network that has not. So from here on the untrained
# network comes along as a control.

# %% [markdown]
# ## Chin and mouth, nose and mouth?
#
# Now the team's claim. To count, we need regions. MTCNN gave five points for each face (lesson 02); from these we lay
# out forehead, eyes, nose, cheeks, mouth and chin, which turn and stretch with the face. The rest is *outside*.
# (Cheeks were not in the claim. Without them, the nose would swallow their heat.)

# %%
regions = [lesson_07.face_regions(lesson_07.landmarks_of(text)) for text in shown["landmarks"]]
pictures = [lesson_07.paint_regions(photos[i], regions[i]) for i in range(n)]
plots.images(pictures, title="Six regions from five landmarks; the rest is outside")

# %% [markdown]
# > **Predict first.** Suppose the heat were spread evenly over the crop. Which region would get most of it?

# %% tags=["nbval-check-output"]
eyes, nose, mouth = [(60, 60), (100, 60)], [(80, 85)], [(63, 105), (97, 105)]  # a face made up
made_up = lesson_07.face_regions(np.array(eyes + nose + mouth, float))
for index, region in enumerate(lesson_07.REGIONS):
    print(f"{region:9s}{(made_up == index).mean():4.0%} of the crop")

# %% [markdown]
# A large region gets much heat for being large, and most of a crop is no face at all. So the number to look at is the
# *share of heat over the share of area*: 1 is what an even glow gives, 2 is twice that. By hand, for one fake:

# %%
heat, region_of = maps[surest], regions[surest]
for index, region in enumerate(lesson_07.REGIONS):
    inside = region_of == index
    share_of_heat, share_of_area = heat[inside].sum() / heat.sum(), inside.mean()
    ratio = share_of_heat / share_of_area
    print(f"{region:9s}{share_of_heat:5.0%} of the heat on {share_of_area:4.0%} of the area: {ratio:.1f}")

# %% [markdown]
# One face is an anecdote. So: some frames of every test clip (fewer of each fake, as there are more of them), real
# and fake apart, with an interval from drawing *clips* again and again (lesson 06). Real crops are asked what spoke
# for "real", fakes what spoke for "fake".

# %%
import pandas as pd

from torchfakes_utils.dataset import limit_frames

real, fake = (faces[faces["label"] == label] for label in (0, 1))
some = pd.concat([limit_frames(real, 6), limit_frames(fake, 2)], ignore_index=True)  # frames a clip
label = np.array(plots.NAMES)[some["label"]]
heats = {
    "trained": lesson_07.heat_maps(model, some, label),
    "untrained": lesson_07.heat_maps(untrained, some, [answer] * len(some)),
}
print(f"{len(some)} crops, {(label == 'real').sum()} of them real")

# %%
measured, panels = {}, {}
for name, found in heats.items():
    panels[f"{name} network"] = []
    for kind, colour, marker in (("real", plots.REAL, "o"), ("fake", plots.FAKE, "X")):
        chosen = np.flatnonzero(label == kind)
        ratios = lesson_07.region_ratios([found[i] for i in chosen], some.iloc[chosen])
        measured[name, kind] = ratios
        panels[f"{name} network"].append((kind, colour, marker, ratios))
        dark = sum(found[i].max() == 0 for i in chosen)
        print(f"{name:9s} {kind}: {len(chosen)} crops, {dark} dark all over and left out")
lesson_07.ratio_figure(lesson_07.REGIONS, panels, "The trained network has favourite places")

# %% [markdown]
# Now the claim, line by line, by a rule fixed before looking: an interval above 1 is *more than chance*, one below 1
# *less*, and one that holds 1 *cannot tell*.

# %%
claim = [("real", "chin"), ("real", "mouth"), ("fake", "nose"), ("fake", "mouth")]
print("the claim        trained network                           untrained")
for kind, region in claim:
    texts = []
    for name in heats:
        ratio, low, high = measured[name, kind][lesson_07.REGIONS.index(region)]
        texts.append(f"{ratio:4.2f} ({low:.2f} to {high:.2f}) {lesson_07.verdict(low, high):16s}")
    print(f"{kind}: {region:9s}", *texts, sep="  ")
for kind in plots.NAMES:
    lows = measured["trained", kind][:, 1]
    above = [region for region, low in zip(lesson_07.REGIONS, lows, strict=True) if low > 1]
    print(f"all regions above chance on {kind}:", ", ".join(above) or "none")

# %% [markdown]
# **What we saw.** First the control: its markers lie near 1. Picture by picture, the untrained network seemed to look
# at faces; over all clips it prefers nothing much. *The average sees what the eye does not.* Then the claim: each
# line has its verdict beside it, and it counts only where the trained network is above chance **and** the untrained
# one is not. Then look at the regions that *nobody named*. A claim that picks two of them is only half true where
# others are as hot.
#
# Five cautions. The team worked on other faces, with another model: this table can neither confirm nor refute what
# they saw, it shows *how one would find out*. A nose is hardly larger than one place of this layer, so heat leaks
# from each region into its neighbours. The test clips are few, of fewer people: the intervals know about clips, not
# about people. The control is one draw of random weights; another draw may love the borders, or stay dark (exercise
# 3). And the trained network is one training: while this lesson was written, the detector was trained twice by the
# same recipe, and some of these verdicts changed from one to the other. No interval in the table knows about that.
#
# **Break it.** Take 2 frames of each real clip instead of 6, and see which verdicts stay. And if the finding is about
# the network, another reasonable layer or method should not overturn it either:

# %%
few = limit_frames(faces, 1)
kinds = np.array(plots.NAMES)[few["label"]]
print("the three hottest regions       real                     fake")
for layer, method in (("repeat_2", "grad-cam"), ("repeat_2", "layer-cam"), ("block8", "grad-cam")):
    found = lesson_07.heat_maps(model, few, kinds, layer, method=method)
    top = []
    for kind in plots.NAMES:
        chosen = np.flatnonzero(kinds == kind)
        ratios = lesson_07.region_ratios([found[i] for i in chosen], few.iloc[chosen])[:, 0]
        top.append(", ".join(lesson_07.REGIONS[i] for i in np.argsort(-ratios)[:3]))
    print(f"{f'{layer}, {method}':22s}{top[0]:>25s}{top[1]:>25s}")

# %% [markdown]
# Read down the columns. Where a name stays in its place, you have something. Where it moves with the layer, you had a
# story.

# %% [markdown]
# ## Does the heat find the forgery?
#
# Masks allow a sharper question than regions: of the heat on a fake, how much lies where it was edited? Chance is the
# mask's share of the crop, so again we divide by it. By hand, for one fake:

# %%
mask = lesson_07.crop_mask(shown.iloc[surest], data)
if mask is None:  # FaceForensics++ lets you download videos without their masks
    print("There is no mask of this clip on this computer.")
else:
    inside, area = heat[mask].sum() / heat.sum(), mask.mean()
    print(f"{inside:.0%} of the heat on {area:.0%} of the crop: {inside / area:.1f} times chance")

# %% [markdown]
# > **Predict first.** The mask lies in the middle of the crop. So does the face. What will the untrained network
# > score?

# %%
agreement = {name: lesson_07.mask_ratios(found, some, data) for name, found in heats.items()}
columns = ["ratio", "low", "high"]
series = [
    ("trained", plots.FAKE, "X", agreement["trained"][columns].to_numpy()),
    ("untrained", plots.NEUTRAL, "D", agreement["untrained"][columns].to_numpy()),
]
for method, row in agreement["trained"].iterrows():
    share = f"{row['ratio'] * row['area']:.0%} of the heat on {row['area']:.0%} of the crop"
    print(f"{method:15s}{share}: {lesson_07.verdict(row['low'], row['high'])}")
title = "Heat inside the edit, against chance and against a network that knows nothing"
lesson_07.ratio_figure(list(agreement["trained"].index), {"": series}, title)

# %% [markdown]
# **What we saw.** In each row compare the two markers before you compare them with chance. What the untrained network
# has as well is owed to the picture: faces are in the middle, and so is contrast. Only what the trained one has
# beyond that was learned. And even then the mask is not the whole truth. A network may well decide by the *seam*,
# half of which lies outside, or by comparing a face with its neck, which lies outside altogether. Heat beside the
# mask is no mistake by itself. Nor is heat inside it a proof: most of a mask is face, and a network that simply looks
# at faces would score above 1 too.

# %% [markdown]
# ## Exercises
#
# Exercises with checks come with a later edition; until then, try:
#
# 1. In the hook cell, replace the mean of the gradient by its *sum*, then by its *maximum*. Which of the two changes
#    the map after the stretch, and why does the other not?
# 2. Ask the fakes what spoke for *"real"*: give other targets where `heats` is made, and draw the region figure
#    again. Is it the opposite picture? Should it be?
# 3. Use the seeds 1, 2, 3 and 4 for the untrained network. Does its favourite region stay? Does it have maps at all?
#    What does that say about a control made of one network?
#
# **Open challenge.** Heat is not proof; an *intervention* comes closer. Cover the mouth of every fake with a grey
# box, then the forehead with one of the same size, and see how far P(fake) falls. You got somewhere when the region
# that the maps call hottest is also the one whose loss costs most - and when you can say what a grey box itself does
# to the network.
#
# ## Misconceptions
#
# - *"A plausible map is an explanation."* A random network draws plausible maps too.
# - *"Hot means important."* Hot means: hotter than the rest of this map. Every map that is not dark has a hottest
#   place.
# - *"The map shows the manipulated pixels."* It shows where a layer's features spoke for the answer, smeared over a
#   whole place of that layer, by a network that may be wrong.
#
# ## Recap
#
# - Grad-CAM: activations forward, gradients back, one mean a channel, a weighted sum, ReLU.
# - The layer decides how fine a map is and what it is about. Say which one you took.
# - First test: a network with random weights. Second: numbers by region or mask, over chance, by clip, with the
#   control.
# - The claim about chin, nose and mouth became a table that anybody can compute again. That is worth more than its
#   outcome.
#
# ## Next
#
# Lesson 08, *Real, Real, Real*, opens the team's own case: seven sick models, one healthy, and a checklist that finds
# out which is which. Until it is there, go back to [06 · Is it good?](06_is_it_good.ipynb) with the faces on which
# the maps puzzled you most.
#
# ## Sources
#
# - R. R. Selvaraju et al., *Grad-CAM: visual explanations from deep networks via gradient-based localization*, ICCV
#   2017.
# - P.-T. Jiang et al., *LayerCAM: exploring hierarchical class activation maps for localization*, IEEE Transactions
#   on Image Processing, 2021.
# - J. Adebayo et al., *Sanity checks for saliency maps*, NeurIPS 2018: the test with random weights.
# - A. Rössler et al., *FaceForensics++: learning to detect manipulated facial images*, ICCV 2019: the masks.
# - J. Gildenblat and contributors, *PyTorch library for CAM methods* (`grad-cam`), 2021.
