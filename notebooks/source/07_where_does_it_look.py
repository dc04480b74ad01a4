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
# - **Time:** about 25 min to read, READ_RUN s to run on two CPU cores.

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
shown = explanation.choose(faces, 10)  # the middle frame of ten clips: real ones first, then all four methods
photos = [plots.face(file) for file in shown["file"]]
targets = [plots.NAMES[label] for label in shown["label"]]
maps = lesson_07.heat_maps(model, shown, targets)
titles = ["real" if label == 0 else method for label, method in zip(shown["label"], shown["method"], strict=True)]
overlays = [explanation.overlay(photo, heat) for photo, heat in zip(photos, maps, strict=True)]
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
# $$\alpha_k = \frac{1}{Z}\sum_{i,j}\frac{\partial y}{\partial A_k^{ij}}, \qquad
# \text{map} = \mathrm{ReLU}\Big(\sum_k \alpha_k A_k\Big)$$
#
# > **Predict first.** The layer `repeat_2` has 896 channels. How large do you think its small pictures are, for a
# > crop of some 150 pixels?
#
# PyTorch lets you listen at any layer with a **hook**: a function that is called whenever data passes.

# %%
import torch

from torchfakes_utils.dataset import read_crop

surest = int(model.probability(torch.stack([read_crop(file) for file in shown["file"]])).argmax())
image = model.preprocessing.apply(read_crop(shown["file"][surest]))[None]  # (1, 3, S, S)

kept = {}
layer = explanation.layers(model)["repeat_2"]
hooks = [
    layer.register_forward_hook(lambda module, inputs, output: kept.update(activation=output.detach()[0])),
    layer.register_full_backward_hook(lambda module, into, out: kept.update(gradient=out[0][0])),
]
logit = model(image)  # forward: the first hook hears the activation
logit.sum().backward()  # backward: the second hears the gradient
for hook in hooks:
    hook.remove()
model.zero_grad()

weights = kept["gradient"].mean(dim=(1, 2))  # one number a channel
small = torch.relu((weights[:, None, None] * kept["activation"]).sum(dim=0)).numpy()
channels, height, width = kept["activation"].shape
print(f"{channels} channels of {height} × {width}; weights from {weights.min():.1e} to {weights.max():.1e}")

# %% [markdown]
# That is all of Grad-CAM. Here are its parts: the two channels that added most to the logit, the sum of all 896 as it
# is, and the sum enlarged to the crop.

# %%
import cv2

most = torch.argsort((weights[:, None, None] * kept["activation"]).sum(dim=(1, 2)), descending=True)[:2].tolist()
large = cv2.resize(small, image.shape[:1:-1], interpolation=cv2.INTER_LINEAR)
by_hand = (large - large.min()) / (large.max() - large.min())  # coldest place 0, hottest 1
parts = [kept["activation"][k].numpy() for k in most] + [small]
pictures = [photos[surest], *(np.uint8(255 * part / part.max()) for part in parts)]
pictures.append(explanation.overlay(photos[surest], by_hand))
names = ["the crop", *(f"channel {k}" for k in most), f"all, {height} × {width}", "enlarged"]
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
# Deeper layers know more and see less sharply. The original paper takes the last convolution. For a network that ends
# in seven by seven places that is a good choice.
#
# > **Predict first.** How many places does `block8`, the last block of InceptionResnetV1, have at 160 pixels?

# %% tags=["nbval-check-output"]
sizes = {}
for name, module in explanation.layers(model).items():
    hook = module.register_forward_hook(
        lambda module, inputs, output, name=name: sizes.setdefault(name, []).append(output.shape[1:])
    )
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
pictures = [
    explanation.overlay(photos[surest], lesson_07.heat_maps(model, one, ["fake"], name)[0]) for name in names
]
plots.images(pictures, names, title="Same network, same face, same answer: five layers, five stories")

# %% [markdown]
# Look for yourself: another face, another layer, another target.

# %%
from torchfakes_utils.course import widgets


def look(face: int, layer: str, target: str):
    return lesson_07.look(model, shown, face, layer, target)


layers = ["repeat_2", "conv2d_4b", "repeat_1", "mixed_6a", "mixed_7a", "repeat_3", "block8"]
widgets.explore(look, face=(0, len(shown) - 1, 1), layer=layers, target=["real", "fake"])

# %% [markdown]
# **What we saw.** At 160 px `block8` has nine places in all: it can say "upper left", not "left eye". The shallow
# layers are fine, but know edges rather than faces. `repeat_2` is the compromise that this package takes by default;
# one of its places is still about as wide as an eye. Nothing in the method tells you which layer is right, and the
# picture changes with the choice. **Whoever shows one map has made that choice for you.**

# %% [markdown]
# ## Does it look where the fake is?
#
# FaceForensics++ comes with masks: for every fake, a second video that is white where the frame was edited. So does
# Mini-FF++. A crop's row in `faces.csv` keeps the square that was cut out of the frame, `x1` to `y2`, and the same
# square cut out of the mask fits the crop.
#
# > **Predict first.** For which of the four methods should the heat lie lowest in the face?

# %%
where = course.paths()
pairs = plots.face_pairs(faces)
person = sorted(pairs["target_id"].unique())[-2]  # try another: -1, 0, 1, …
pairs = pairs[pairs["target_id"] == person].drop_duplicates("method_fake").sort_values("method_fake")
pictures, names = [], []
for pair in pairs.itertuples():
    rows = faces[faces["file"].isin([pair.file_real, pair.file_fake])].sort_values("label")  # real, then its fake
    real, fake = (plots.face(file) for file in rows["file"])
    heat_real, heat_fake = lesson_07.heat_maps(model, rows, ["real", "fake"])
    mask = lesson_07.crop_mask(rows.iloc[1], where.data)
    edited = fake if mask is None else lesson_07.outline(fake, mask)
    pictures += [real, explanation.overlay(real, heat_real), edited, explanation.overlay(fake, heat_fake)]
    names += ["real", "spoke for “real”", f"{pair.method_fake}, edited inside", "spoke for “fake”"]
plots.images(pictures, names, 4, "The same frame, real and forged: edit and heat")

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
# > rows below and say which row is the trained network's.

# %%
from torchfakes_utils.detector import DetectorConfig, build_detector

torch.manual_seed(0)
untrained, _ = build_detector(DetectorConfig(pretrained=None, preprocessing=model.preprocessing))
untrained.eval()

crops = torch.stack([read_crop(file) for file in shown["file"]])
chances = {"trained": model.probability(crops), "untrained": untrained.probability(crops)}
answer = "fake" if chances["untrained"].mean() >= 0.5 else "real"  # it gives all faces the same
random_maps = lesson_07.heat_maps(untrained, shown, [answer] * len(shown))

picked = [0, 1, 2, 4, 6]
rows = [("trained", maps), ("untrained", random_maps)]
np.random.default_rng(7).shuffle(rows)
pictures = [explanation.overlay(photos[i], heats[i]) for _, heats in rows for i in picked]
names = [f"row {letter}" for letter in "AB" for _ in picked]
plots.images(pictures, names, len(picked), "One of these rows was drawn by a network that knows nothing")

# %% [markdown]
# Decide, and then run the next cell.

# %%
for letter, (name, _) in zip("AB", rows, strict=True):
    low, high = chances[name].min(), chances[name].max()
    print(f"row {letter}: {name:9s}  P(fake) of the ten faces from {low:.3f} to {high:.3f}")

# %% [markdown]
# **What we saw.** The untrained network gives every face the same answer, a coin's, to two digits: it knows nothing
# and has nothing to explain. Its maps glow all the same, with soft edges and a warm middle, because a random
# convolution still answers to contrast, and because the stretch makes the hottest place bright whatever it is. Had
# you met that row in a report, would you have doubted it? **That a map looks plausible is no evidence that the
# network has learned anything.** What counts is the *difference* to the map of a network that has not. So from here
# on the untrained network comes along as a control.

# %% [markdown]
# ## Chin and mouth, nose and mouth?
#
# Now the team's claim. To count, we need regions. MTCNN gave five points for each face (lesson 02); from these we lay
# out a forehead, eyes, nose, cheeks, mouth and chin that turn and stretch with the face. The rest is *outside*.

# %%
regions = [lesson_07.face_regions(lesson_07.landmarks_of(text)) for text in shown["landmarks"]]
pictures = [lesson_07.paint_regions(photos[i], regions[i]) for i in picked]
plots.images(pictures, title="Six regions from five landmarks; the rest is outside")

# %% [markdown]
# > **Predict first.** Suppose the heat were spread evenly over the crop. Which region would get most of it?
#
# A large region gets much heat for being large. So the number to look at is the *share of heat over the share of
# area*: 1 is what an even glow gives, 2 is twice that. By hand, for one face:

# %% tags=["nbval-check-output"]
even = np.ones((160, 160))  # heat spread evenly, to see that the measure is fair
for index, region in enumerate(lesson_07.REGIONS):
    inside = regions[0] == index
    share_of_heat, share_of_area = even[inside].sum() / even.sum(), inside.mean()
    print(f"{region:9s} {share_of_area:4.0%} of the crop, an even glow gives {share_of_heat / share_of_area:.1f}")

# %% [markdown]
# Now with the real maps: three frames of every test clip, real and fake apart, with an interval from drawing *clips*
# again and again (lesson 06). Real crops are asked what spoke for "real", fakes what spoke for "fake".

# %%
from torchfakes_utils.dataset import limit_frames
from torchfakes_utils.tables import CLIP_KEY

some = limit_frames(faces, 3)
truth = np.array(plots.NAMES)[some["label"]]
heats = {
    "trained": lesson_07.heat_maps(model, some, truth),
    "untrained": lesson_07.heat_maps(untrained, some, [answer] * len(some)),
}
parts = [lesson_07.face_regions(lesson_07.landmarks_of(text)) for text in some["landmarks"]]
clip = some[CLIP_KEY].agg("/".join, axis=1).to_numpy()


def by_region(maps, chosen):
    """Share of heat over share of area, (7, 3): the ratio and its interval, over the crops `chosen`."""
    pairs = [lesson_07.shares(maps[i], parts[i], len(lesson_07.REGIONS)) for i in np.flatnonzero(chosen)]
    return lesson_07.times_its_area(*map(np.array, zip(*pairs, strict=True)), clip[chosen])


measured = {(name, label): by_region(heats[name], truth == label) for name in heats for label in plots.NAMES}
series = [("real", plots.REAL, "o", measured["trained", "real"]), ("fake", plots.FAKE, "X", measured["trained", "fake"])]
lesson_07.ratio_figure(lesson_07.REGIONS, series, "Where the trained network's heat lies, relative to area")

# %% [markdown]
# And the control, which has learned nothing:

# %%
series = [
    (f"untrained, on {label}", colour, marker, measured["untrained", label])
    for label, colour, marker in (("real", plots.REAL, "o"), ("fake", plots.FAKE, "X"))
]
lesson_07.ratio_figure(lesson_07.REGIONS, series, "Where an untrained network's heat lies: a preference without knowledge")

# %% [markdown]
# Now the claim, line by line, judged by a rule that was fixed before: an interval above 1 is *more than chance*, one
# below 1 *less*, and one that holds 1 *cannot tell*.

# %%
claim = [("real", "chin"), ("real", "mouth"), ("fake", "nose"), ("fake", "mouth")]
print("claim             trained network                          untrained network")
for label, region in claim:
    texts = []
    for name in ("trained", "untrained"):
        ratio, low, high = measured[name, label][lesson_07.REGIONS.index(region)]
        texts.append(f"{ratio:4.2f} ({low:.2f} to {high:.2f}) {lesson_07.verdict(low, high):17s}")
    print(f"{label}: {region:7s}".ljust(18) + "  ".join(texts))

# %% [markdown]
# **What we saw.** The verdicts stand beside the claim; the third column says what a network without any knowledge
# would have "shown". A line counts *for* the claim only where the trained network is above chance **and** the
# untrained one is not. Read three cautions with it. The team worked on other faces, with another model: this table
# can neither confirm nor refute what they saw, it shows *how one would find out*. The regions are narrower than one
# place of the layer, so heat leaks from each into its neighbours. And there are few real clips, of few people: the
# intervals know about clips, not about that.
#
# **Break it.** If the finding is about the network, another reasonable choice of layer should not overturn it.

# %%
few = limit_frames(faces, 1)
few_parts = [lesson_07.face_regions(lesson_07.landmarks_of(text)) for text in few["landmarks"]]
few_clips = few[CLIP_KEY].agg("/".join, axis=1).to_numpy()
few_truth = np.array(plots.NAMES)[few["label"]]
choices = [("repeat_1", "layer-cam"), ("repeat_2", "grad-cam"), ("repeat_2", "layer-cam"), ("block8", "grad-cam")]
print("hottest regions                    real                     fake")
for layer, method in choices:
    found = lesson_07.heat_maps(model, few, few_truth, layer, method=method)
    top = []
    for label in plots.NAMES:
        chosen = np.flatnonzero(few_truth == label)
        pairs = [lesson_07.shares(found[i], few_parts[i], len(lesson_07.REGIONS)) for i in chosen]
        ratio = lesson_07.times_its_area(*map(np.array, zip(*pairs, strict=True)), few_clips[chosen])[:, 0]
        top.append(", ".join(lesson_07.REGIONS[i] for i in np.argsort(-ratio)[:3]))
    print(f"{layer + ', ' + method:25s}{top[0]:>25s}{top[1]:>25s}")

# %% [markdown]
# Read down the columns. Where a name stays in its place, you have something; where it moves with the layer, you had a
# story.

# %% [markdown]
# ## Does the heat find the forgery?
#
# Masks allow a sharper question than regions: of the heat on a fake, how much lies where it was edited? Chance is the
# mask's share of the crop, so again we divide by it. (The same ratio, with parts "inside" and "outside".)
#
# > **Predict first.** The mask lies in the middle of the crop. So does the face. What will the untrained network
# > score?

# %%
is_fake = np.flatnonzero((some["label"] == 1).to_numpy())
masks = {i: lesson_07.crop_mask(some.iloc[i], where.data) for i in is_fake}
masks = {i: mask.astype(int) for i, mask in masks.items() if mask is not None and mask.any()}
methods = sorted(some["method"].iloc[list(masks)].unique())
agreement = {}
for name, maps_of in heats.items():
    rows = []
    for method in methods:
        chosen = [i for i in masks if some["method"].iloc[i] == method]
        pairs = [lesson_07.shares(maps_of[i], masks[i], 2) for i in chosen]
        rows.append(lesson_07.times_its_area(*map(np.array, zip(*pairs, strict=True)), clip[chosen])[1])
    agreement[name] = np.array(rows)
series = [
    ("trained", plots.FAKE, "X", agreement["trained"]), ("untrained", plots.NEUTRAL, "D", agreement["untrained"]),
]  # fmt: skip
lesson_07.ratio_figure(methods, series, "Heat inside the forged area, relative to its size")

# %%
for method, (ratio, low, high), control in zip(methods, agreement["trained"], agreement["untrained"][:, 0], strict=True):
    area = np.mean([masks[i].mean() for i in masks if some["method"].iloc[i] == method])
    print(
        f"{method:15s} mask {area:4.0%} of the crop, heat inside {ratio * area:4.0%}: {ratio:.2f} times chance "
        f"({low:.2f} to {high:.2f}, {lesson_07.verdict(low, high)}); untrained {control:.2f}"
    )

# %% [markdown]
# **What we saw.** Compare the markers of each row with each other before you compare them with chance. A ratio above
# 1 that the untrained network reaches as well is the *camera's* doing: faces are in the middle, and so is the light.
# Only what the trained network has beyond that was learned. And even then the mask is not the whole truth: a network
# may well decide by the *seam*, half of which lies outside, or by comparing the face with its neck, which lies there
# altogether. Heat outside the mask is not a mistake by itself; it is a reason to ask on.

# %% [markdown]
# ## Exercises
#
# Exercises with checks come with a later edition; until then, try:
#
# 1. In the hook cell, replace the mean of the gradient by its *sum*, then by its *maximum*. Which of the two changes
#    the map after the stretch, and why does the other not?
# 2. Ask the fakes what spoke for *"real"* (`truth` the other way round) and make the region figure again. Is it the
#    opposite picture? Should it be?
# 3. Use another seed for the untrained network. Does its favourite region stay? What does that say about a control
#    made of one network?
#
# **Open challenge.** Heat is not proof; an *intervention* comes closer. Cover the mouth of every fake with a grey
# box, then the forehead with one of the same size, and see how far P(fake) falls. You got somewhere when the region
# that the maps call hottest is also the one whose loss costs most - and when you can say what a grey box itself does
# to the network.
#
# ## Misconceptions
#
# - *"A plausible map is an explanation."* A random network draws plausible maps too.
# - *"Hot means important."* Hot means: hotter than the rest of this map. Every map has a hottest place.
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
