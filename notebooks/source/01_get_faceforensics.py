# ---
# jupyter:
#   torchfakes:
#     needs: [mini]
# ---

# %% [markdown]
# # 01 · Get FaceForensics++
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/v0.1.0/notebooks/01_get_faceforensics.ipynb)
#
# **In this lesson you learn to read a data set of forgeries like a family tree: who was filmed, who lent the face,
# and who must never meet whom.**
#
# - **You will be able to** read who is in a file from its name, find out who is connected with whom, count what a
#   split gives away, and say what compression does to a forgery.
# - **You need** Python with lists, sets and a little pandas. No access to anything, no GPU.
# - **Time:** about 25 min to read, 30 min of exercises, 10 s to run on two CPU cores.
#
# The team of lesson 00 put all its crops into one list, shuffled it and cut it into training and validation. So frames
# of one film lay on both sides, and nobody had asked whose faces were in which file. That question costs nothing, and
# it comes before any network.

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
from torchfakes_utils.course import lesson_01
from torchfakes_utils.datasets import faceforensics

root = course.ensure("mini")
clips = faceforensics.index(root)  # one row per video
compression = clips["compression"].iloc[0]
pairs = clips.loc[clips["label"] == 1, ["target_id", "source_id"]].drop_duplicates()
target = "009" if "009" in set(pairs["target_id"]) else pairs["target_id"].iloc[0]
lesson_01.family_figure(root, clips, target, compression)

# %% [markdown]
# On the left two people who forge each other, person {= target =} above. On the right four fakes of one frame of that
# person's film. The white line is the *mask*: inside it the forger changed pixels. Where did these faces come from,
# and did anybody ask?

# %% [markdown]
# ## What is in FaceForensics++, and whose faces are these?
#
# FaceForensics++ (Rössler et al., ICCV 2019; "FF++" from here) is the data set on which most detectors of the field
# are trained. Its authors cut 1000 sequences out of 977 YouTube videos, each with one mostly frontal face, and forged
# every one of them:
#
# | folder | what happens to the face |
# |---|---|
# | `Deepfakes` | **swapped**: an autoencoder trained on two people, blended into a rectangle |
# | `FaceSwap` | **swapped**: the source's texture on a 3D face model |
# | `Face2Face` | **re-enacted**: the person stays, a 3D model carries over the source's expression |
# | `NeuralTextures` | **re-enacted**: a learned texture draws the region of the mouth anew |
#
# Two collections came later: `FaceShifter`, a fifth method on the same sequences, and `DeepFakeDetection` ("DFD"),
# 3068 fakes of 28 paid actors. Everything exists as `raw`, as `c23` and as `c40`: the higher the number, the more the
# H.264 encoder throws away.
#
# **Did anybody ask?** The 28 actors of DFD were paid, and knew. The people in the YouTube videos had put themselves, or
# were put, on a public platform. Nothing suggests that they were asked whether they wanted to be forged. So the
# authors give the data out for research and teaching only, on request. And we ask more of ourselves:
#
# - Keep videos, frames and crops off public drives, repositories, slides and posts.
# - Do not look up who these people are.
# - Do not make new fakes of people who did not agree, not even as a joke.
# - Delete the data when the work is done.
#
# Our own stand-in is no exception. Copyright is settled, for the portraits are in the public domain. That does not
# mean that Eileen Collins or Grace Hopper agreed to wear the other's face. So its fakes stay visibly odd and always
# labelled.
#
# **How you get it.** You fill in the authors' form, they send you a script, and you run it in a terminal. Before it
# downloads, it shows the terms and waits for a key. In a notebook no key ever reaches it, and the cell hangs. The
# "solution" of many forums is to delete the line that waits. But that key is your signature: press it yourself, after
# reading. [docs/ffpp.md](../docs/ffpp.md) has the form, the options with their traps, and a command that drives the
# script for you.

# %% [markdown]
# ## What stands in for it here?
#
# **Mini-FF++** is made on your computer, in the layout of the original, with the original's file names. Every lesson
# runs on it, and on the real one, too.

# %% tags=["nbval-check-output"]
counts = clips.groupby(["method", "compression"]).size().unstack()
print(counts, f"{len(clips)} videos of {clips['target_id'].nunique()} people", sep="\n\n")

# %% [markdown]
# | | FaceForensics++ | Mini-FF++ |
# |---|---|---|
# | folders, names, split files, masks, both directions of a pair | yes | the same |
# | people | about a thousand, filmed | {= clips["target_id"].nunique() =}, made of **two** photographs |
# | forgers | neural networks and 3D face models | image operations that imitate each family's mark |
# | size in c23 | about 10 GB | about 20 MB |
#
# So it can teach you the craft: reading, splitting, cutting, training, measuring. It cannot tell you how well a
# detector does on the world's deepfakes. The [data card](../docs/data_card.md) says it in full.

# %% [markdown]
# ## What does `000_003` say?
#
# A real clip is named by a number. A fake carries two: **target**, then **source**. The target is the film that was
# changed. The source lent the face (in a swap) or the expression (in a re-enactment).

# %%
swap = clips[(clips["method"] == "FaceSwap") & (clips["target_id"] == target)].iloc[0]
target, source = swap["target_id"], swap["source_id"]
question = f"FaceSwap, {swap['clip_id']}.mp4: whose face do you see?"
guess_face = course.predict(question, options=[target, source])

# %% [markdown]
# ### Your turn · Who is in this file?
#
# *5 min, difficulty 1 of 3.* Read target and source from a file's name without its ending, as two texts. The source of
# a real clip is the empty text. In names of DFD the scene follows *two* underscores.
#
# | name | target | source |
# |---|---|---|
# | `000` | `"000"` | `""` |
# | `000_003` | `"000"` | `"003"` |
# | `01__walking_outside` | `"01"` | `""` |
# | `01_02__walking_outside__YVGY8LOK` | `"01"` | `"02"` |


# %%
def read_name(stem: str) -> tuple[str, str]:
    """Target and source of a video, by its name without ending."""
    # your code here


course.check(lesson_01.READ_NAME, read_name)
read_name = course.yours(lesson_01.READ_NAME, read_name)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def read_name(stem):
#     people = stem.split("__")[0].split("_")
#     return people[0], people[1] if len(people) > 1 else ""
# ```
#
# </details>

# %%
guess_face.answer(source)
read = clips["clip_id"].map(read_name)
agree = bool((read.str[0] == clips["target_id"]).all() and (read.str[1] == clips["source_id"]).all())
print(f"read by hand and by the package alike: {agree}")
mine = clips[clips["target_id"] == target].groupby("method").head(1)
mine[["clip_id", "method", "label", "target_id", "source_id"]]

# %% [markdown]
# `faceforensics.index` reads the names of whatever folders there are and gives one row per video. It reads the same
# people from them as you. <!-- holds: agree --> `label` is 1 for fake and 0 for real in every table of this course, and
# a score is always the probability of *fake*. Now look at what the names promise. Choose a target and a family.

# %%
from torchfakes_utils.course import widgets

families = sorted(set(clips.loc[clips["label"] == 1, "method"]))


def forgery(target_id, method, quality):
    return lesson_01.forgery_figure(root, clips, target_id, method, quality)


widgets.explore(
    forgery,
    target_id=[target, *sorted(set(pairs["target_id"]) - {target})[:40]],
    method=families,
    quality=sorted(set(clips["compression"])),
    states=[{"method": name} for name in families[:2]],
)

# %%
lesson_01.forgery_figure(root, clips, target, families[-1], compression)

# %% [markdown]
# Above two real frames, below the fake and the difference between the fake and the target's own film: black is no
# change, white is 40 grey levels and more. In a swap the face of the second number sits in the film of the
# first. In a re-enactment the person stays and acts differently. There the eye finds little, and the difference still
# shows it. The masks are exact here, for the forger wrote them down. In the real FF++ the mask of `Deepfakes` is the
# rectangle of the blending, and that of `NeuralTextures` the whole face, although mostly the mouth was changed.

# %% [markdown]
# ## Who lent whom a face?
#
# Each fake is an arrow from a source to a target. Draw all arrows and you have a graph of people. Whoever is connected,
# directly or through others, has to stay on one side of a split. Such a group is an *island*.

# %%
edges = list(pairs.itertuples(index=False, name=None))
print(f"{len(edges)} arrows, such as {edges[:3]}")
guess_islands = course.predict("How many islands are there?", 1, 64)

# %% [markdown]
# ### Your turn · Islands by hand
#
# *10 min, difficulty 3 of 3.* Sort people into islands, the smallest groups that no arrow leaves or enters. For the
# edges `[("a", "b"), ("c", "d"), ("b", "c"), ("e", "f")]` they are `a b c d` and `e f`. Return a list of groups; each
# may be a list, a tuple or a set. *Hint:* begin with everybody alone. Each edge joins two groups.


# %%
def islands(edges: list[tuple[str, str]]) -> list[set[str]]:
    """The groups of people who are connected, directly or through others."""
    # your code here


course.check(lesson_01.ISLANDS, islands)
islands = course.yours(lesson_01.ISLANDS, islands)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def islands(edges):
#     groups = []
#     for edge in edges:
#         joined = set(edge)
#         apart = []
#         for group in groups:
#             if group & joined:
#                 joined = joined | group
#             else:
#                 apart.append(group)
#         groups = [*apart, joined]
#     return groups
# ```
#
# </details>

# %%
groups = sorted(tuple(sorted(group)) for group in islands(edges))
sizes = sorted({len(group) for group in groups})
guess_islands.answer(len(groups))
print(f"{len(groups)} islands, of so many people: {sizes}; {groups[:4]}")

# %% [markdown]
# FF++ was built in pairs, both ways, and so the graph falls into islands of two. <!-- holds: sizes == [2] --> The
# published split files list these pairs, and `assign_splits` gives every clip the split of *both* its people. The
# team did what every tutorial does with cats and dogs: all files into one list, shuffle, cut. Here are both ways, for
# the clips of one family.

# %%
import numpy as np

clips = faceforensics.assign_splits(clips, faceforensics.splits_of(root))
one_family = (clips["compression"] == compression) & clips["method"].isin(["youtube", families[0]])
one = clips[one_family].reset_index(drop=True)
mixed = np.random.default_rng(0).permutation(one["split"])  # as many clips per split as before


def panel(split):
    """Arrows from source to target with the fake clip's split, and the split of each real clip."""
    clip = one.assign(split=split)
    fakes, reals = clip[clip["label"] == 1], clip[clip["label"] == 0]
    arrows = fakes[["source_id", "target_id", "split"]].to_numpy().tolist()
    return arrows, dict(zip(reals["target_id"], reals["split"], strict=True))


panels = {"Official: islands stay whole": panel(one["split"]), "Shuffled: islands are cut": panel(mixed)}
lesson_01.islands_figure(groups[:12], panels)

# %%
island_of = {person: members for members in groups for person in members}
whole, both = {}, {}
for name, split in (("official", one["split"]), ("shuffled", mixed)):
    sides = one.assign(split=split).groupby(one["target_id"].map(island_of))["split"].agg(set)
    whole[name] = int((sides.map(len) == 1).sum())
    both[name] = int(sides.map({"train", "test"}.issubset).sum())
    print(f"{name}: {whole[name]} of {len(groups)} islands on one side, {both[name]} in training and in the test")

# %% [markdown]
# Each pair of shapes is an island: two people and two fakes (arrows), in the colour of the split of each clip.
# Official: all {= whole["official"] =} islands have one colour. <!-- holds: whole["official"] == len(groups) -->
# Shuffled: {= whole["shuffled"] =} of {= len(groups) =} have. <!-- holds: whole["shuffled"] < len(groups) / 2 --> In
# the others the same two faces are on more than one side, and in {= both["shuffled"] =} islands they are in training
# *and* in the test. <!-- holds: both["shuffled"] > len(groups) / 2 --> There the test asks "do you remember her?" and
# not "can you see a forgery?".

# %% [markdown]
# ## What would a random split leak?
#
# A fake **leaks** when its target *or* its source is in any training clip, real or fake. For this question no video is
# needed: the published lists of FF++ say who is in which of 5000 clips. Here are three ways to deal them out in the
# proportions of FF++: clips at random; *targets* at random ("I split by person"); and whole pairs.

# %%
question = "Targets dealt out at random: which share of the test fakes leaks?"
guess_leak = course.predict(question, 0, 100, unit="%")

# %% [markdown]
# ### Your turn · Count the leaks
#
# *8 min, difficulty 2 of 3.* `train` and `test` are lists of `(target, source)`, with `""` for the source of a real
# clip. Which share of the test's *fakes* shows somebody whom training shows? For `train = [("a", ""), ("b", "c")]` and
# `test = [("d", "c"), ("d", "e"), ("b", "")]` it is 1/2: two fakes, and `c` lent a face in training. Of a re-enactment,
# the source is not seen, since it lends an expression and no face. Here it counts as shown, too.


# %%
def leaks(train: list[tuple[str, str]], test: list[tuple[str, str]]) -> float:
    """The share of the test fakes that show somebody from the training clips."""
    # your code here


course.check(lesson_01.LEAKS, leaks)
leaks = course.yours(lesson_01.LEAKS, leaks)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def leaks(train, test):
#     known = set()
#     for target, source in train:
#         known.add(target)
#         if source != "":
#             known.add(source)
#     fakes = [clip for clip in test if clip[1] != ""]
#     return sum(target in known or source in known for target, source in fakes) / len(fakes)
# ```
#
# </details>

# %%
names = lesson_01.published_clips()
who = names[["target_id", "source_id"]]


def dealt(cards, seed):
    """The leaks where 72 % of the cards go to training and 14 % to the test; a clip goes with its card."""
    order = np.random.default_rng(seed).permutation(sorted(cards.unique()))
    place = cards.map({card: rank / len(order) for rank, card in enumerate(order)})
    train, test = who[place < 0.72], who[place >= 0.86]
    return leaks(*(list(each.itertuples(index=False, name=None)) for each in (train, test)))


ways = {"clips": names["method"] + names["clip_id"], "targets": names["target_id"], "pairs": names["pair"]}
shares = {}
for way, cards in ways.items():
    shares[f"{way} at random"] = np.mean([dealt(cards, seed) for seed in range(20)])
by_target = shares["targets at random"]
title = f"Split by target alone, {by_target:.0%} of test fakes still show somebody from training"
lesson_01.leak_figure(shares, title)

# %%
guess_leak.answer(100 * by_target)

# %% [markdown]
# A bar is the share of test fakes that leak, mean of twenty deals. Clips at random: all leak, for each pair has ten
# clips, and some are always on the other side. <!-- holds: shares["clips at random"] > 0.99 --> Targets at random
# sounds careful, and {= by_target : .0 % =} leak, because the *source* was forgotten. <!-- holds: by_target > 0.5 -->
# Only whole pairs leak nothing. <!-- holds: shares["pairs at random"] == 0 --> None of the three changes a line of the
# network. It is the same detector, the same formula for accuracy, and another question. What a leak is worth in
# accuracy is the subject of lesson 04.
#
# The package counts the same, and one thing more: 1000 sequences come from 977 films, so some people have two numbers.

# %%
from torchfakes_utils.datasets import split_files, splits

official, films = splits.read_splits(split_files.FOLDER), splits.read_films(split_files.FOLDER)
compared = splits.compare(names, official, films)
compared.round(3)

# %%
film_leak = compared.loc["official", "film_in_train"]

# %% [markdown]
# A row is a way to split. The first column counts the test clips; the others say which share of them has its target,
# its source or its film in training, too. The *official* split is clean by pairs, and leaks {= film_leak : .1 % =} of
# its test clips by film. <!-- holds: 0 < film_leak < 0.1 --> The *strict* split joins pairs and films into islands. It
# leaks nothing, and its test is a little smaller. <!-- holds: compared.loc["strict", "film_in_train"] == 0 --> Papers
# compare on the official one, so report that. If your result hangs on it, repeat it strictly.
#
# <details><summary>The seven films that straddle, and how the strict split deals with them</summary>
#
# `torchfakes clips data/ffpp --split strict` joins numbers by pair *and* by film (`dataset/conversion_dict.json`).
# For instance 755 (test, paired with 759) and 756 (training, paired with 503) are two cuts of one video, so that all
# four are one island. An island that straddles goes to the first of its sides in the order train, val, test. So the
# strict test set is a part of the official one, and nobody who trained on the official training set has seen it.
# [docs/data_tables.md](../docs/data_tables.md) has the rule for every data set.
#
# </details>

# %% [markdown]
# ## What does compression take away?
#
# The same films exist as c23 and as c40.

# %%
guess_size = course.predict("How large is a c40 file, in % of its c23 file?", 0, 100, unit="%")

# %%
stored = clips.assign(kilobytes=[(root / path).stat().st_size / 1000 for path in clips["path"]])
size = stored.groupby(["method", "compression"])["kilobytes"].median().unstack()
there = [name for name in ("raw", "c23", "c40") if name in size]
light, heavy = there[0], there[-1]
smaller = float((size[heavy] / size[light]).median())
guess_size.answer(100 * smaller)
size.round(1)

# %% [markdown]
# And where does it hurt? For the fakes, take the change between target and fake, inside the mask and outside. Outside
# the forger touched nothing: what differs there is noise and codec. The ratio of both says how far a forgery stands
# out.

# %%
sides = ["inside", "outside"]
guess_where = course.predict("From c23 to c40, which of the two changes grows more?", options=sides)


# %%
def levels(clip: dict) -> tuple[float, float]:
    """Mean change of a fake against its target at frame 20, in grey levels: inside the mask and outside."""
    real = lesson_01.real_of(clips, clip["target_id"], clip["compression"])
    paths = [real["path"], clip["path"], faceforensics.mask_path(clip)]
    target_frame, fake_frame, mask = (lesson_01.frame(root, path, 20) for path in paths)
    changed, edited = lesson_01.change(fake_frame, target_frame), mask[..., 0] > 127
    return changed[edited].mean(), changed[~edited].mean()


keys = ["method", "compression"]
some = clips[lesson_01.has_mask(root, clips)].groupby(keys).head(5).copy()
some[["inside", "outside"]] = [levels(clip) for clip in some.to_dict("records")]
table = some.groupby(keys)[["inside", "outside"]].mean()
table["ratio"] = table["inside"] / table["outside"]
table.round(1)

# %%
mean = table.groupby("compression").mean()
grown = mean.loc[heavy] / mean.loc[light]
guess_where.answer("outside" if grown["outside"] > grown["inside"] else "inside")
faint = "NeuralTextures" if "NeuralTextures" in families else families[-1]
ratio = table["ratio"].loc[faint]
title = f"{faint} stands out {ratio[light]:.1f} times in {light}, {ratio[heavy]:.1f} times in {heavy}"
lesson_01.compression_figure(root, clips, target, faint, title)

# %% [markdown]
# A c40 file has {= smaller : .0 % =} of the bytes of its c23 file. <!-- holds: 0 < smaller < 0.3 --> Inside the mask
# the change is {= grown["inside"] : .1f =} times as large as before, outside {= grown["outside"] : .1f =} times.
# <!-- holds: grown["outside"] > 1.5 * grown["inside"] --> The third column of the figure shows it for one face, both
# rows on one scale. In c23 the forger's trace is a bright spot. In c40 it is one disturbance among many, for target and
# fake now differ at hair, eyes, chin and collar, too. <!-- holds: ratio[heavy] < 0.75 * ratio[light] --> The field sees
# the same: an Xception trained on FF++ c23 has a frame AUC of 0.96 there and of 0.83 on c40 (DeepfakeBench). So never
# train on one and report the other without saying so, and never let both copies of a clip fall on two sides of a split.

# %% [markdown]
# ## How do you run this on the real FaceForensics++?
#
# Any part will do: two methods, one compression, a hundred videos. Say where it is before Jupyter starts, and every
# lesson works on it. Your data set is only read; crops and detectors go to folders of their own.
#
#     TORCHFAKES_DATA=data/ffpp make lab
#
# <details><summary>Without notebooks, on Colab, and other data sets</summary>
#
# Without notebooks: `torchfakes clips data/ffpp && torchfakes extract data/ffpp --out data/ffpp-faces`, and so on as
# in the README. On Colab, mount your drive and set `os.environ["TORCHFAKES_DATA"]` in a cell before the first
# `course.ensure`. `torchfakes clips` knows the layouts of Celeb-DF v2 and DFDC, too; for everything else write a table
# of your own, with a path and a label in each row, and `--from-csv mine.csv`
# ([docs/data_tables.md](../docs/data_tables.md)). If you know who is seen, say so in `target_id` and `source_id`:
# then nobody ends up on two sides. The layout of FF++ and the commonest mistakes are in
# [docs/ffpp.md](../docs/ffpp.md).
#
# </details>

# %% [markdown]
# ## Open challenge
#
# You may film ten friends who agree. Which pairs would you forge, in which directions, so that *any* split by whole
# islands, 6 people to training and 4 to the test, keeps as many real clips as fakes on both sides? You got somewhere if
# a script of yours can check it from the names alone.

# %% [markdown]
# ## Quiz

# %%
course.quiz("01")

# %% [markdown]
# ## Misconceptions
#
# - *"A random split is a fair split."* For cats and dogs, perhaps. Here clips share people.
# - *"I split by person, so I am safe."* A fake shows two people. Split by target alone, and most sources are known.
# - *"It is public, so it is free to use."* The videos were public, the terms are not optional, and the faces belong
#   to people.
# - *"c40 is just a smaller file."* A forgery stands out less in it.
#
# ## Recap
#
# - `target_source`: the film that was changed, then the person who lent the face or the expression.
# - Fakes are edges of a graph. Whole islands go to one side; `assign_splits` does it, and `--split strict` keeps films
#   together, too.
# - `faceforensics.index` turns any part of the folder into a table, `label` 1 for fake.
# - You ask for FF++, and you accept its terms yourself. What Mini-FF++ shows holds for Mini-FF++.
#
# **What this would have told the team.** Of clips dealt out at random {= shares["clips at random"] : .0 % =} of the
# test fakes show somebody from training, so their shuffled validation asked about people whom the network had met.
#
# ## Next
#
# [02 · Find the face](02_find_the_face.ipynb): a frame is mostly wall and jacket. How does a network find the face in
# it, and what does that cost?

# %% [markdown]
# <details><summary>For whoever teaches this</summary>
#
# Draw four people and two pairs on the board and let the room add arrows until everybody is one island; then ask how
# to split that. The room always stops at the source: "but I split by person". Point at the arrow's tail. `islands` is
# the hardest exercise of the first three lessons; in pairs it takes ten minutes, alone fifteen. If ten minutes are
# missing, give its solution and keep `leaks`. Talk about consent before the pictures of fakes, not after: it is the
# first time that most people think about whose faces these are.
#
# </details>
#
# ## Sources
#
# - A. Rössler, D. Cozzolino, L. Verdoliva, C. Riess, J. Thies, M. Nießner: *FaceForensics++: Learning to Detect
#   Manipulated Facial Images*. ICCV 2019. Data, terms, split files and sizes:
#   [github.com/ondyari/FaceForensics](https://github.com/ondyari/FaceForensics).
# - J. Thies, M. Zollhöfer, M. Stamminger, C. Theobalt, M. Nießner: *Face2Face: Real-time Face Capture and Reenactment
#   of RGB Videos*. CVPR 2016.
# - J. Thies, M. Zollhöfer, M. Nießner: *Deferred Neural Rendering: Image Synthesis using Neural Textures*. SIGGRAPH
#   2019.
# - L. Li, J. Bao, H. Yang, D. Chen, F. Wen: *Advancing High Fidelity Identity Swapping for Forgery Detection*
#   (FaceShifter). CVPR 2020.
# - N. Dufour, A. Gully: *Contributing Data to Deepfake Detection Research* (DeepFakeDetection). Google AI Blog, 2019.
# - Z. Yan, Y. Zhang, X. Yuan, S. Lyu, B. Wu: *DeepfakeBench: A Comprehensive Benchmark of Deepfake Detection*.
#   NeurIPS Datasets and Benchmarks, 2023. AUCs from its [README](https://github.com/SCLBD/DeepfakeBench).
# - P. Pérez, M. Gangnet, A. Blake: *Poisson Image Editing*. SIGGRAPH 2003.
