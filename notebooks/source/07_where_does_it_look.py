# ---
# jupyter:
#   torchfakes:
#     needs: [faces, run, control]
#     unlinked: [weight, loss]
# ---

# %% [markdown]
# # 07 · Where does it look?
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/v0.1.0/notebooks/07_where_does_it_look.ipynb)
#
# **Build Grad-CAM from two hooks, and then make it prove itself: against networks that have learned nothing, against
# five landmarks, against the mask of the forgery, and against taking the hot place away.**
#
# - **You will be able to** compute a heat map from activations and gradients; choose a layer and a method and say what
#   the choice hides; test a map against networks that know nothing; measure heat by face region, paired by clip; and
#   compare a map with the place that was edited.
# - **You need** lessons 05 and 06; or, what a convolution's channels are, and why intervals draw people, not crops.
# - **Time:** about 35 min to read, 30 min of exercises, 80 s to run on two CPU cores.

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
import torch

from torchfakes_utils.course import lesson_07, lesson_07_figures
from torchfakes_utils.explanation import heat_maps

model = course.detector()
faces = course.faces_table("test")
pairs = lesson_07.varied_pairs(faces, 8)  # people, each real and forged in the same frame
truth = [plots.NAMES[label] for label in pairs["label"]]
shown, maps = lesson_07.lit_pairs(pairs, heat_maps.of_faces(model, pairs, truth), 4)
n = len(shown) // 2  # the fake of face k is n further on
photos = [plots.face(file) for file in shown["file"]]
titles = ["real"] * n + list(shown["method"][n:])
overlays = [lesson_07.glow(*pair) for pair in zip(photos, maps, strict=True)]
plots.images(overlays, titles, n, "Yellow: what pointed to the right answer, says Grad-CAM", list(shown["label"]))

# %% [markdown]
# Above are real faces, and below each the fake of the same frame. Where a map is cold, you see the photo; where it is
# hot, the photo glows yellow.
#
# When the team at last had a model that worked, they drew pictures like these and looked at some dozens. They wrote
# into their report: on *real* faces the network looks at **chin and mouth**, on *fake* ones at **nose and mouth**. It
# is a fair thing to notice. Is it a finding? In this lesson you make such a picture yourself. Then you find out what it
# takes to believe one, and what becomes of the team's claim on the course's detector.

# %% [markdown]
# ## How do you ask a network where it looked?
#
# A convolutional layer turns the crop into a stack of small pictures, its *channels*. Each is bright where the layer
# found what that channel stands for. Two questions make a heat map of them:
#
# 1. What did each channel see, and where? That is the **activation** $A_k$, on the way forward.
# 2. If this channel grew a little, would the logit rise or fall? That is the **gradient** of the logit, on the way
#    back.
#
# Grad-CAM averages the gradient over all places into one weight per channel. It adds the channels up with these
# weights, and keeps what is positive. ($y$ is the logit, $Z$ the number of places, $i$ and $j$ a place's row and
# column.)
#
# $$\alpha_k = \frac{1}{Z}\sum_{i,j}\frac{\partial y}{\partial A_k^{ij}},
# \qquad \text{map} = \mathrm{ReLU}\Big(\sum_k \alpha_k A_k\Big)$$

# %%
guess_places = course.predict(
    "The layer repeat_2 has 896 channels. How large are these small pictures, for a crop of 160 pixels?",
    options=["8 × 8", "20 × 20", "40 × 40", "160 × 160"],
)

# %% [markdown]
# ### Your turn · Grad-CAM in three lines
#
# *8 min, difficulty 2 of 3.* Write the formula as code. You get two tensors of shape (C, H, W): the activation of a
# layer and the gradient of the logit at that layer. Return the map, (H, W).
#
# An example with two channels of 1 × 2 places: the activations are `[[1, 3]]` and `[[5, 0]]`, the gradients
# `[[2, 4]]` and `[[-1, -1]]`. The weights are 3 and −1, the weighted sum is `[[-2, 9]]`, and the map is `[[0, 9]]`.


# %%
def class_map(activation: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """The heat map of a layer, before it is enlarged; (C, H, W) and (C, H, W) to (H, W)."""
    # your code here


course.check(lesson_07.CLASS_MAP, class_map)
class_map = course.yours(lesson_07.CLASS_MAP, class_map)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def class_map(activation, gradient):
#     # With the sum, the map would be the same once it is stretched; with the largest gradient, it would be another.
#     weights = gradient.mean(dim=(1, 2))  # (C,)
#     # Without the ReLU, what speaks against the answer would be in it, too.
#     return torch.relu((weights[:, None, None] * activation).sum(dim=0))
# ```
#
# </details>

# %% [markdown]
# Where do activation and gradient come from? PyTorch lets you listen at any layer with a **hook**: a function that is
# called whenever data passes. One hook listens on the way forward, one on the way back.

# %%
images = heat_maps.inputs(model, shown)  # (8, 3, 160, 160), normalised
with torch.no_grad():
    surest = n + int(model(images)[n:].argmax())  # the fake of which it is most sure

kept = {}
layer = model.feature_layers["repeat_2"]
forward = layer.register_forward_hook(lambda layer, inputs, output: kept.update(activation=output))
backward = layer.register_full_backward_hook(lambda layer, into, out: kept.update(gradient=out[0]))
model(images[[surest]]).sum().backward()  # there, past the first hook, and back, past the second
forward.remove(), backward.remove(), model.zero_grad()

activation, gradient = kept["activation"][0].detach(), kept["gradient"][0]  # (896, 8, 8) each
small = np.asarray(class_map(activation, gradient))
guess_places.answer("{} × {}".format(*small.shape))

# %% [markdown]
# {= small.shape[0] =} by {= small.shape[1] =} places for the whole crop: one place is
# {= 160 / small.shape[0] : .0f =} pixels wide, about as wide as an eye. Here are the parts of the map: the channel that
# added most to the logit, the weighted sum of all channels, and the sum enlarged to the crop.

# %%
import cv2

added = (gradient.mean(dim=(1, 2))[:, None, None] * activation).sum(dim=(1, 2))
first = int(added.argmax())
large = cv2.resize(small.astype(np.float32), images.shape[:1:-1], interpolation=cv2.INTER_LINEAR)
by_hand = (large - large.min()) / (large.max() - large.min())  # coldest place 0, hottest 1
pictures = [np.uint8(255 * part / part.max()) for part in (activation[first].numpy(), small)]
pictures = [photos[surest], *pictures, lesson_07.glow(photos[surest], by_hand)]
names = ["the crop", f"channel {first}", "weighted sum of all", "enlarged, on the crop"]
plots.images(pictures, names, title="A heat map is a weighted sum of small pictures, enlarged")

# %% [markdown]
# Now properly. `heat_maps.grad_cam` goes through the library `pytorch-grad-cam`, in batches, on a frozen network, for
# any layer. It has to give the same.

# %% tags=["nbval-check-output"]
library = heat_maps.grad_cam(model, images[[surest]], layer="repeat_2", target="fake")[0]
print("same shape:", library.shape == by_hand.shape)
print("the same to three digits:", np.allclose(library, by_hand, atol=1e-3))

# %% [markdown]
# **What we saw.** Two hooks and your three lines: nothing in them knows what a face is. Two things to remember about
# every such picture:
#
# - It is **stretched** to its own range. Its hottest place is 1, *however little* it mattered. Two maps can be compared
#   in where, never in how much.
# - It can be **dark**: zero everywhere, where nothing at that layer pointed to the answer (the ReLU has cut it all
#   off). A dark map has no hottest place. We count dark maps and leave them out.

# %% [markdown]
# ## Which layer should you ask?
#
# Deeper layers know more and see less sharply. The original paper takes the last convolution. In the networks of that
# paper it still has 14 by 14 or 7 by 7 places.

# %%
guess_last = course.predict("How many places has block8, the last block of our network, at 160 pixels?", 1, 200)

# %% tags=["nbval-check-output"]
sizes = {}
for name, layer in model.feature_layers.items():
    hook = layer.register_forward_hook(lambda layer, into, out, name=name: sizes.update({name: out.shape[1:]}))
    with torch.no_grad():
        model(torch.zeros(1, 3, 160, 160))
    hook.remove()
for name, (channels, rows, columns) in sizes.items():
    print(f"{name:10s}{rows:3d} × {columns:2d} places of {160 / rows:2.0f} px, {channels:4d} channels")

# %%
guess_last.answer(sizes["block8"][1] * sizes["block8"][2])
names = ["conv2d_4b", "repeat_1", "repeat_2", "block8"]
one = shown.iloc[[surest]]
by_layer = [heat_maps.of_faces(model, one, "fake", name)[0] for name in names]
pictures = [lesson_07.glow(photos[surest], heat) for heat in by_layer]
plots.images(pictures, names, title="Same network, face and answer: only the layer differs")

# %% [markdown]
# `block8` has {= sizes["block8"][1] * sizes["block8"][2] =} places in all: it can say "upper left", not "left eye".
# `repeat_2` is the compromise that this package takes by default.
#
# The method is a choice, too. **Grad-CAM++** counts only gradients that speak *for* the answer, and more where a
# channel is active in few places. **LayerCAM** weighs every place by its own gradient instead of the channel's mean.

# %%
names = [(layer, method) for layer in ("repeat_1", "repeat_2") for method in heat_maps.METHODS]
pictures = [lesson_07.glow(photos[surest], heat_maps.of_faces(model, one, "fake", *name)[0]) for name in names]
names = [f"{method}\nat {layer}" for layer, method in names]
plots.images(pictures, names, 3, "Same face and answer: three methods, two layers")

# %% [markdown]
# Look for yourself: another face, another layer, another method, another answer to speak for.

# %%
from torchfakes_utils.course import widgets


def draw(face: int, layer: str, method: str, target: str):
    return lesson_07_figures.heat_map_figure(model, shown, face, layer, method, target)


widgets.explore(
    draw, face=(0, len(shown) - 1, 1, surest), layer=["repeat_2", *sizes], method=list(heat_maps.METHODS),
    target=["fake", "real"],
    states=[{"layer": "repeat_2"}, {"layer": "block8"}, {"layer": "repeat_2", "method": "layer-cam"}],
)  # fmt: skip

# %% [markdown]
# **What we saw.** One face, one answer, and the heat moves with the layer and with the method. Nothing tells you which
# of them is right. **Whoever shows you one map has made that choice for you.**

# %% [markdown]
# ## Would a network that knows nothing look different?
#
# Here is the simplest test of all (Adebayo et al., 2018). Take a network of the same architecture with **random
# weights**: it has never seen a face. Draw its maps, too. Below are four fakes that you have not met yet, twice: one
# row is the trained network's, one is the random one's. Both use LayerCAM at `repeat_2`, and both are asked what spoke
# for their own answer.

# %%
from torchfakes_utils.crops.table import limit_frames, read_crop
from torchfakes_utils.explanation.sanity_checks import untrained

unknowing = untrained(model, seed=0)
new = lesson_07.varied_pairs(faces[~faces["target_id"].isin(pairs["target_id"])], 4)
fakes = new[new["label"] == 1]
rows = [("trained", model), ("random weights", unknowing)]
np.random.default_rng(7).shuffle(rows)
blind = [heat_maps.of_faces(network, fakes, "own", method="layer-cam") for _, network in rows]
pictures = [lesson_07.glow(plots.face(f), heat) for row in blind for f, heat in zip(fakes["file"], row, strict=True)]
names = [f"row {letter}" for letter in "AB" for _ in range(len(fakes))]
plots.images(pictures, names, len(fakes), "One of these rows was drawn by a network that knows nothing")

# %%
guess_row = course.predict("Which row was drawn by the network with random weights?", options=["row A", "row B"])

# %%
guess_row.answer(f"row {'AB'[[name for name, _ in rows].index('random weights')]}")
spots = {}
for letter, (name, network), row in zip("AB", rows, blind, strict=True):
    spots[name] = lesson_07.hottest_regions(row, fakes)
    chances = network.probability(torch.stack([read_crop(file) for file in fakes["file"]]))
    hottest = ", ".join(spots[name])
    print(f"row {letter}: {name}, P(fake) from {chances.min():.3f} to {chances.max():.3f}; hottest at {hottest}")

# %% [markdown]
# **What we saw.** The network with random weights gives every face the same answer, next to a coin's. It has nothing to
# explain. And yet its maps glow on the face, as a careful viewer's would: their hottest places are
# {= ", ".join(spots["random weights"]) =}. Those of the trained network are {= ", ".join(spots["trained"]) =}.
# <!-- holds: sum(spot != "outside" for spot in spots["random weights"]) >= 3 -->
# Random convolutions answer to edges and contrast, and a face is where these are. Had you met that row alone, in a
# report, would you have doubted it? **That a map looks plausible is no evidence that the network has learned
# anything.**
#
# From here on a network that knows nothing comes along as a control. Random weights are the easier one. The harder one
# was *trained*, with as many faces as ours, but on **random labels**: there was nothing to learn about forgeries.

# %% [markdown]
# ## How much of the map is the network's?
#
# Do not replace all weights at once. Begin at the answer and go down, stage by stage. Compare each map with the trained
# network's by the rank correlation of their places: it is 1 if they are hot in the same order.

# %%
from torchfakes_utils.explanation.explain import choose
from torchfakes_utils.explanation.regions import clip_names
from torchfakes_utils.explanation.sanity_checks import Question, cascading_randomisation
from torchfakes_utils.metrics.intervals import people_drawn

some = choose(faces, 16)  # one crop a clip, real ones and all four methods
about = [plots.NAMES[label] for label in some["label"]], clip_names(some)
randomised = {}
for method in ("grad-cam", "layer-cam"):
    question = Question(heat_maps.inputs(model, some), *about, method=method, people=people_drawn(some))
    randomised[method] = cascading_randomisation(model, question)
lesson_07_figures.randomisation_figure(randomised, "Weights become random from the answer down; does the map notice?")

# %%
by_stage = {name: table.set_index("changed")["rank_correlation"] for name, table in randomised.items()}
head, everything = ({name: float(column.iloc[at]) for name, column in by_stage.items()} for at in (1, -1))
dark = randomised["grad-cam"]["dark"]
for name in randomised:
    print(f"{name:9s} random head {head[name]:+.2f}, all weights random {everything[name]:+.2f}")

# %% [markdown]
# **What we saw.** The figure goes from left, nothing changed, to right, nothing of the trained network left. Grad-CAM
# notices a random head at once: its correlation falls from 1 to {= head["grad-cam"] : .2f =} (0 is no likeness, −1 the
# opposite order), although all layers below are as they were. <!-- holds: head["grad-cam"] < 0.5 -->
# LayerCAM still agrees with the trained network's map when *nothing* of that network is left
# ({= everything["layer-cam"] : .2f =} at the right end). That part was never the network's: it is the picture's own
# edges.
# <!-- holds: everything["layer-cam"] > 0.3 and everything["layer-cam"] > everything["grad-cam"] + 0.2 -->
# So the sharper and prettier map tells you less about the network. One caution: with all weights random,
# {= dark.iloc[-1] : .0 % =} of Grad-CAM's maps are dark and left out.

# %% [markdown]
# ## Chin and mouth, nose and mouth?
#
# Now the team's claim. To count, we need regions. MTCNN gave five points for each face (lesson 02). From these we lay
# out six regions, which turn and stretch with the face. The rest is *outside*.

# %%
from torchfakes_utils.explanation.regions import REGIONS, face_regions, landmarks_of

regions = [face_regions(landmarks_of(text)) for text in shown["landmarks"]]
lesson_07_figures.regions_figure(photos[:2], regions[:2], "Six regions from five landmarks; the rest is outside")

# %%
guess_region = course.predict("Spread the heat evenly over the crop. Which region gets most?", options=list(REGIONS))

# %%
areas = {name: float(np.mean([region == index for region in regions])) for index, name in enumerate(REGIONS)}
guess_region.answer(max(areas, key=areas.get))
print(", ".join(f"{name} {area:.0%}" for name, area in areas.items()))

# %% [markdown]
# Most of a crop is no face at all, so *outside* would get {= areas["outside"] : .0 % =} of an even glow. A region that
# gets much heat may only be large.
#
# ### Your turn · Heat per area
#
# *5 min, difficulty 1 of 3.* Write the **attention ratio**: the region's share of the heat over its share of the area.
# You get the map, (H, W), and where the region is, (H, W) of bool. 1 is what an even glow gives, 2 is twice that. If a
# region covers a tenth of the crop and holds three tenths of the heat, the ratio is 3. For a dark map return NaN.


# %%
def attention_ratio(heat: np.ndarray, inside: np.ndarray) -> float:
    """Share of the heat over share of the area; (H, W) and (H, W) of bool to a number."""
    # your code here


course.check(lesson_07.ATTENTION_RATIO, attention_ratio)
attention_ratio = course.yours(lesson_07.ATTENTION_RATIO, attention_ratio)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def attention_ratio(heat, inside):
#     if heat.sum() == 0:
#         return np.nan
#     return (heat[inside].sum() / heat.sum()) / inside.mean()
# ```
#
# </details>
#
# One face proves nothing. So: four crops of every test clip, real and fake apart, and an interval from drawing *people*
# with all their clips (lesson 06b). Reals are asked what pointed to "real", fakes what pointed to "fake". The network
# of random labels gets the same crops and the same question.

# %%
from torchfakes_utils.models.detector import load_detector

four = limit_frames(faces, 4)
asked = [plots.NAMES[label] for label in four["label"]]
control = load_detector(course.ensure("control"))  # trained on random labels
heats = {"trained": heat_maps.of_faces(model, four, asked), "random labels": heat_maps.of_faces(control, four, asked)}
ratios = {name: lesson_07.crop_ratios(found, four, attention_ratio) for name, found in heats.items()}
missing = {kind: ratios["trained"].loc[four["label"] == label, "mouth"].isna().mean()
           for label, kind in enumerate(plots.NAMES)}  # fmt: skip
favourite = ratios["random labels"][four["label"] == 0].mean()  # on reals
print("dark maps of the trained network:", ", ".join(f"{kind} {share:.0%}" for kind, share in missing.items()))

# %%
panels = {}
for label, kind in enumerate(plots.NAMES):
    own = (four["label"] == label).to_numpy()
    panels[f"on {kind} faces"] = [
        (name, colour, marker,
         np.array([lesson_07.mean_of(ratios[name].loc[own, region], four[own]) for region in REGIONS]))
        for name, colour, marker in (
            ("trained", plots.COLOURS[label], plots.MARKERS[label]), ("random labels", plots.NEUTRAL, "D"))
    ]  # fmt: skip
lesson_07_figures.ratio_figure(REGIONS, panels, "Heat by region: the trained network beside one with nothing to learn")

# %% [markdown]
# Marks are means over clips, lines are 95 % intervals; the dashed line is an even glow. Look at the grey marks first.
# The network of random labels knows nothing about forgeries, and it has favourite places all the same: on reals the
# {= favourite.idxmax() =}, {= favourite.max() : .1f =} times an even glow. <!-- holds: favourite.max() > 1.5 -->
# Training alone can make them. So "above 1" is not enough: a region has to be hotter than in the control.
#
# Do not judge that by whether two intervals overlap (lesson 06b). Both networks saw the same clips, so take the
# difference clip by clip.
#
# ### Your turn · The same clips, two networks
#
# *8 min, difficulty 2 of 3.* You get the ratios of our network and of theirs, (N,) each, for the same N crops, and the
# clip of each crop, (N,) of text. Return a dict: for each clip, the mean over its crops of *ours minus theirs*. A crop
# whose ratio is NaN (a dark map) for one network is left out for both. A clip with no crop left is left out.
#
# For ours `[3, 1, NaN]`, theirs `[1, 1, 2]` and clips `["a", "a", "b"]` it is `{"a": 1.0}`.


# %%
def paired(ours: np.ndarray, theirs: np.ndarray, clips: np.ndarray) -> dict[str, float]:
    """The mean difference of each clip; (N,), (N,) and (N,) to a dict from clip to number."""
    # your code here


course.check(lesson_07.PAIRED, paired)
paired = course.yours(lesson_07.PAIRED, paired)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def paired(ours, theirs, clips):
#     found = {}
#     for ours_one, theirs_one, clip in zip(ours, theirs, clips):
#         difference = ours_one - theirs_one
#         if not np.isnan(difference):
#             found.setdefault(str(clip), []).append(difference)
#     return {clip: sum(values) / len(values) for clip, values in found.items()}
#     # with pandas: pd.Series(ours - theirs).groupby(clips).mean().dropna().to_dict()
# ```
#
# </details>
#
# One rule for every region. A part of the claim **holds** if its region is hotter than an even glow
# *and* hotter than in the control, both by an interval. The last three columns are your difference, with the interval
# that comes from drawing people.

# %%
verdicts = lesson_07.judged(ratios["trained"], ratios["random labels"], four, paired)
claim = [("real", "chin"), ("real", "mouth"), ("fake", "nose"), ("fake", "mouth")]
verdicts.loc[claim].round(2)

# %%
parts = {"holds": [], "hot, but not beyond the control": [], "not above an even glow": []}
for kind, region in claim:
    parts[verdicts.loc[(kind, region), "verdict"]].append(f"{region} on {kind}")
said = {verdict: ", ".join(found) or "none" for verdict, found in parts.items()}
passing = verdicts.index[verdicts["verdict"] == "holds"]
unnamed = ", ".join(f"{region} on {kind}" for kind, region in passing if (kind, region) not in claim) or "nothing"
chin = verdicts.loc[("real", "chin")]
for verdict, found in said.items():
    print(f"{verdict}: {found}")

# %% [markdown]
# **What became of the claim.** Of its four parts this holds on our detector: **{= said["holds"] =}**. Hot, but not
# shown to be hotter than in the control: {= said["hot, but not beyond the control"] =}. Not above an even glow:
# {= said["not above an even glow"] =}. In numbers, the chin on reals: {= chin["ratio"] : .1f =} times an even glow, and
# {= chin["more"] : .1f =} more than in the control ({= chin["more_low"] : .1f =} to {= chin["more_high"] : .1f =}).
#
# So what the team wrote about fakes is not seen here: on fakes the heat of this network lies nearly evenly.
# <!-- holds: not any("fake" in part for part in parts["holds"]) and
#      verdicts.loc["fake", "ratio"].between(0.7, 1.4).all() -->
# Hotter than an even glow and than the control, but in nobody's claim: {= unnamed =}.
#
# The conditions: one training of our detector, {= four["target_id"].nunique() =} people who are warps of two portraits,
# Grad-CAM at `repeat_2`. An earlier training with a slightly different recipe had a cold chin on reals and a hot one on
# fakes: the claim turned round. So this is a finding about *this* detector. The team's own network, on other faces, may
# have looked where they said; one training each cannot tell.
#
# **Break it.** A finding about the network should survive another reasonable layer or method. Here are nine
# combinations: in how many of them is a region hotter than an even glow, by its interval?

# %%
import pandas as pd

single = limit_frames(faces, 1)  # one crop a clip
wanted = [plots.NAMES[label] for label in single["label"]]
inputs, single_maps = heat_maps.inputs(model, single), {}
above = pd.DataFrame(0, index=REGIONS, columns=plots.NAMES)
for layer in ("repeat_1", "repeat_2", "block8"):
    for method in heat_maps.METHODS:
        single_maps[layer, method] = heat_maps.grad_cam(model, inputs, layer, wanted, method)
        found = lesson_07.crop_ratios(single_maps[layer, method], single, attention_ratio)
        for label, kind in enumerate(plots.NAMES):
            own = (single["label"] == label).to_numpy()
            above[kind] += [lesson_07.mean_of(found.loc[own, region], single[own])[1] > 1 for region in REGIONS]
steady = {kind: above.index[above[kind] >= 6] for kind in plots.NAMES}
named = {kind: ", ".join(f"{region} ({above.loc[region, kind]})" for region in steady[kind]) for kind in plots.NAMES}
above.T

# %% [markdown]
# Above an even glow in at least six of the nine are, on reals, {= named["real"] or "none" =}, and on fakes
# {= named["fake"] or "none" =}. So chin and mouth on reals survive most layers and methods.
# <!-- holds: {"mouth", "chin"} <= set(steady["real"]) -->
# Nose and mouth on fakes do not: they come to {= above.loc["nose", "fake"] =} and {= above.loc["mouth", "fake"] =} of
# nine. <!-- holds: not {"nose", "mouth"} & set(steady["fake"]) -->
#
# And the blind test, in numbers, over the same {= int((single["label"] == 1).sum()) =} fakes:

# %%
own = (single["label"] == 1).to_numpy()
by_network = {}
for name, network in (("trained", model), ("random weights", unknowing)):
    glows = heat_maps.of_faces(network, single[own], "own", method="layer-cam")  # as in the blind test
    by_network[name] = lesson_07.crop_ratios(glows, single[own], attention_ratio).mean()
compared = pd.DataFrame(by_network).T
compared.round(1)

# %% [markdown]
# By the same LayerCAM, the trained network's maps have {= compared.loc["trained", "eyes"] : .1f =} times an even glow
# at the eyes and {= compared.loc["trained", "nose"] : .1f =} at the nose. Those of the network with random weights have
# {= compared.loc["random weights", "eyes"] : .1f =} and {= compared.loc["random weights", "nose"] : .1f =}. So heat
# on eyes and nose does not show that anything was learned.
# <!-- holds: compared.loc["random weights", ["eyes", "nose"]].min() > 1.3 -->

# %% [markdown]
# ## Does the heat find the forgery?
#
# FaceForensics++ comes with masks: for every fake, a second video that is white where the frame was edited. So does
# Mini-FF++. The square that was cut out of the frame is cut out of the mask, too.

# %%
from torchfakes_utils.explanation.mask_agreement import agreement, agreement_table, baselines, crop_masks

data = course.paths().data
edits = crop_masks(shown.iloc[n:], data).masks
outlined = [photo if mask is None else lesson_07_figures.outline(photo, mask)
            for row in (photos[n:], overlays[n:]) for photo, mask in zip(row, edits, strict=True)]  # fmt: skip
plots.images(outlined, titles[n:] * 2, n, "Where each fake was edited, and where the heat is")

# %% [markdown]
# The orange line is the edit's border; below, the heat is laid over it. Tell each column's story. Most people find one
# for every column: *inside* confirms that the network found the forgery, *on the border* that it found the seam,
# *outside* that it uses context. A picture that fits every story tests none. So count.
#
# ### Your turn · The pointing game
#
# *5 min, difficulty 1 of 3.* You get a map, (H, W), and a mask, (H, W) of bool. Return 1 if the hottest place of the
# map lies inside the mask and 0 if not. A dark map points nowhere: return NaN.


# %%
def pointing_game(heat: np.ndarray, mask: np.ndarray) -> float:
    """Whether the hottest place lies inside; (H, W) and (H, W) of bool to 1, 0 or NaN."""
    # your code here


course.check(lesson_07.POINTING, pointing_game)
pointing_game = course.yours(lesson_07.POINTING, pointing_game)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def pointing_game(heat, mask):
#     if heat.max() <= 0:  # else every dark map would point at the upper left corner, and count as a miss
#         return np.nan
#     return float(mask[np.unravel_index(heat.argmax(), heat.shape)])
# ```
#
# </details>
#
# And a new control, the cheapest of all: a **centre prior**, a soft blob in the middle of every crop. It has never seen
# this face, or any.

# %%
guess_blob = course.predict(
    "Whose hottest place lies inside the mask more often?",
    options=["the trained network's", "the blob's", "about equally often"],
)

# %%
from torchfakes_utils.explanation.mask_agreement import centre_prior

fake = four[four["label"] == 1]
own = (four["label"] == 1).to_numpy()
masks = crop_masks(fake, data).masks
points = {}
asked_of = {"trained": np.array(heats["trained"])[own], "the blob": [centre_prior(160)] * len(fake)}
for name, found in asked_of.items():
    inside = [np.nan if mask is None else pointing_game(heat, mask) for heat, mask in zip(found, masks, strict=True)]
    points[name] = lesson_07.mean_of(inside, fake)[0]
better = "the trained network's" if points["trained"] > points["the blob"] else "the blob's"
guess_blob.answer(better if abs(points["trained"] - points["the blob"]) > 0.05 else "about equally often")
print(", ".join(f"{name} points inside in {share:.0%} of the fakes" for name, share in points.items()))

# %% [markdown]
# The pointing game asks for one place only. The share of *all* heat inside says more. Paired by clip again, trained
# minus blob:

# %%
measured = {name: agreement(np.array(found)[own], masks) for name, found in heats.items()}
measured["the blob"] = baselines(masks)["centre prior"]
table = agreement_table(measured, fake)
inside = table[table["measure"] == "energy inside"]
share_inside = inside.set_index(["method", "map"]).loc[("all", "trained"), "value"]
less = {}
for method in sorted(fake["method"].unique()):
    part = (fake["method"] == method).to_numpy()
    both = (measured[name].loc[part, "energy inside"].to_numpy(float) for name in ("trained", "the blob"))
    less[method] = lesson_07.mean_of_clips(paired(*both, clip_names(fake[part])), fake[part])
    print("{:15s} trained minus blob {:+.2f} ({:+.2f} to {:+.2f})".format(method, *less[method]))
lesson_07_figures.inside_figure(inside, "A blob that saw no picture has more heat inside the edit")

# %% [markdown]
# **What we saw.** The blob points into the mask in {= points["the blob"] : .0 % =} of the fakes, the trained network in
# {= points["trained"] : .0 % =}. <!-- holds: points["the blob"] > points["trained"] -->
# It also has more heat inside for each of the four methods, even for NeuralTextures, whose edit lies lowest.
# <!-- holds: all(high < 0 for _, _, high in less.values()) -->
# Faces, masks and blobs are all in the middle. A paper that reports a pointing accuracy and no centre prior has
# reported where faces are.
#
# Heat beside the mask is no mistake by itself. A network may decide by the *seam*, half of which lies outside, or
# compare a face with its neck. Nor is heat inside a proof: most of a mask is face.

# %% [markdown]
# ## Does the hot place matter to the network?
#
# The masks say where the forger was. What the *network* used, only the network can tell. Take the hottest fifth of the
# crop away, fill it in from its surroundings, and see how far the logit for the right answer falls. This is the idea
# of **ROAD** (Rong et al., 2022). Random places and the blob are asked the same.

# %%
guess_cost = course.predict(
    "Whose hottest fifth, taken away, costs the right answer most?",
    options=["the network's own map", "the blob in the middle", "random places"],
)

# %%
from torchfakes_utils.explanation.mask_agreement import random_map

generator = np.random.default_rng(0)
tried = {
    "the network's own map": single_maps["repeat_2", "grad-cam"],
    "the blob in the middle": [centre_prior(160)] * len(single),
    "random places": [random_map(160, generator) for _ in range(len(single))],
}
falls = {name: lesson_07.falls(model, inputs, wanted, found) for name, found in tried.items()}
cost = {name: lesson_07.mean_of(values, single) for name, values in falls.items()}
guess_cost.answer(max(cost, key=lambda name: cost[name][0]))
for name, values in cost.items():
    print("{:22s} the logit falls by {:+.2f} ({:+.2f} to {:+.2f})".format(name, *values))

# %%
gaps = {}
for name in list(falls)[1:]:
    gaps[name] = lesson_07.mean_of_clips(
        paired(falls["the network's own map"], falls[name], clip_names(single)), single
    )
    print("own map minus {:22s} {:+.2f} ({:+.2f} to {:+.2f})".format(name, *gaps[name]))
blob, chance = gaps["the blob in the middle"], gaps["random places"]
shows = {name: "shown" if low > 0 else "not shown: the interval holds zero" for name, (_, low, _) in gaps.items()}

# %% [markdown]
# **What we saw.** This is the first question whose answer is about the network and not about pictures. Its own hot
# places cost the answer {= cost["the network's own map"][0] : .2f =} on average. Do they cost more than random places?
# By {= chance[0] : .2f =} ({= chance[1] : .2f =} to {= chance[2] : .2f =}): {= shows["random places"] =}. More than the
# blob's? By {= blob[0] : .2f =} ({= blob[1] : .2f =} to {= blob[2] : .2f =}): {= shows["the blob in the middle"] =}. So
# the map knows something about this network, although most of its heat lies outside the edit. A place beside the edit
# can matter, too. <!-- holds: chance[1] > 0 and share_inside < 0.5 -->

# %% [markdown]
# <details><summary>How the numbers are made</summary>
#
# - ROAD fills a hole in by a weighted mean of its neighbours and adds a little noise; we fill in by OpenCV's
#   inpainting, which is much quicker. `sanity_checks.road` does as the paper does, and `torchfakes explain` puts it
#   into its report, with everything else in this lesson.
# - That report divides the mean share of heat by the mean share of area; here the ratio is taken crop by crop, so that
#   clips can be paired. The two differ little.
# - `grad_cam` starts the way back at the layer instead of at the crop. That makes it several times as fast.
#
# </details>
#
# ## Open challenge
#
# Heat is not proof; an *intervention* comes closer. Cover the mouth of every fake with a grey box, then the forehead
# with one of the same size, and see how far P(fake) falls. You got somewhere when the region that the maps call hottest
# is also the one whose loss costs most, and when you can say what a grey box itself does to the network.

# %% [markdown]
# ## Quiz

# %%
course.quiz("07")

# %% [markdown]
# ## Misconceptions
#
# - *"A plausible map is an explanation."* A random network draws plausible maps, too.
# - *"Hot means important."* Hot means: hotter than the rest of this map. Every map that is not dark has a hottest
#   place.
# - *"The map shows the manipulated pixels."* It shows where a layer's features pointed to the answer, smeared over a
#   whole place of that layer, by a network that may be wrong.
# - *"It points at the fake in most pictures."* So does a blob in the middle.
#
# ## Recap
#
# - Grad-CAM: activations forward, gradients back, one mean per channel, a weighted sum, ReLU.
# - The layer decides how fine a map is. Say which layer and which method you took.
# - First test: networks that know nothing. Second: heat over area, with a control that is paired by clip. Third: take
#   the hot place away.
# - Masks need a blob in the middle beside them.
#
# **What this would have told the team.** Of the four parts of your sentence this holds on our detector:
# {= said["holds"] =}. So write the training, the layer and the control beside such a sentence, or leave it out.
#
# ## Next
#
# [08 · Real, Real, Real](08_real_real_real.ipynb) opens the team's own case: seven sick models, one healthy, and a
# checklist that finds out which is which.
#
# <details><summary>For whoever teaches this</summary>
#
# - **On the board:** a stack of three 2 × 2 channels, three weights (one negative), their sum, and the ReLU. Then
#   "share of heat / share of area" with a region that is a tenth of a square.
# - **Where the room stops:** at the gradient ("of what, with respect to what?": the logit, by each number of the
#   layer); at the blind test, which half of the room gets wrong, so take a show of hands before the answer; and at
#   "hotter than an even glow, but not beyond the control".
# - **Ten minutes missing:** skip the section on stage-by-stage randomisation and the pointing game. Do not skip the
#   blind test.
# - **Say once:** nothing here says where *people* should look for fakes.
#
# </details>
#
# ## Sources
#
# - R. R. Selvaraju et al., *Grad-CAM: visual explanations from deep networks via gradient-based localization*, ICCV
#   2017.
# - P.-T. Jiang et al., *LayerCAM: exploring hierarchical class activation maps for localization*, IEEE Transactions
#   on Image Processing, 2021.
# - A. Chattopadhay et al., *Grad-CAM++: generalized gradient-based visual explanations for deep convolutional
#   networks*, WACV 2018.
# - J. Adebayo et al., *Sanity checks for saliency maps*, NeurIPS 2018: random weights, stage by stage; random labels.
# - J. Zhang et al., *Top-down neural attention by excitation backprop*, ECCV 2016: the pointing game.
# - Y. Rong et al., *A consistent and efficient evaluation strategy for attribution methods*, ICML 2022: ROAD.
# - A. Telea, *An image inpainting technique based on the fast marching method*, Journal of Graphics Tools, 2004.
# - A. Rössler et al., *FaceForensics++: learning to detect manipulated facial images*, ICCV 2019: the masks.
# - J. Gildenblat and contributors, *PyTorch library for CAM methods* (`grad-cam`), 2021.
