# ---
# jupyter:
#   torchfakes:
#     needs: [faces, run, scores]
# ---

# %% [markdown]
# # 00 · Start here
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/main/notebooks/00_start_here.ipynb)
#
# **Ten faces, ten guesses. In a quarter of an hour you will know how well you spot a fake, how well a small network
# does on the same faces, and where in a face that network looked.**
#
# - **You will be able to** judge ten faces and put an honest interval round your score, compare yourself, a model and
#   a coin on one axis, compute what an alarm is worth when fakes are rare, and draw a first heat map and say what it
#   does not prove.
# - **You need** Python as far as loops and functions. No GPU, no data set, no statistics.
# - **Time:** about 15 min to read and play, 20 s to run on two CPU cores. The very first time some ten minutes more:
#   practice films are made, and a detector is trained, on your computer.
#
# Run a cell with **Shift + Enter**, one after the other. Start with the next two now: the second has work to do, and
# you can read on while it does it.

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
# The first time: makes short films, forges most of them, cuts out the faces. Some two minutes.
faces = course.faces_table()
known = faces[faces["split"] == "train"]  # none of these comes in the game
plots.faces_grid(known, 5, "To warm up: real people above, fakes of them below", seed=12)

# %% [markdown]
# ### While that runs
#
# **The story.** A bootcamp team has one laptop, a graphics card that is not new (a GTX 1070), and a good idea: teach
# a network to tell deepfakes from real faces. After ten epochs they read 96 % validation accuracy. They open the test
# set at last, and the network says: *Real. Real. Real.* For every picture. Nothing had crashed and nobody had lied.
# This course hands you, one lesson at a time, the tools that would have saved them.
#
# **Who this is for.** Anybody who can read Python and wonders how deepfakes are found: students, teachers,
# journalists with a technical bent, engineers from another field. You bring no GPU and wait for nobody's permission.
#
# **What you will work on.** The data set of this field, FaceForensics++, is given out on request only. So the course
# makes a small stand-in of its own, **Mini-FF++**: same folders, same file names, same four families of fakes. All
# its people are bent and re-toned versions of two public-domain portraits, of the astronaut Eileen Collins and of
# Rear Admiral Grace Hopper, who wrote one of the first compilers. Its fakes are plain image operations, no neural
# networks. So what you measure here is true of Mini-FF++, and says *nothing* about deepfakes in the world. The
# methods carry over; the numbers do not.
#
# **The way through.**
#
# | | Lesson | The question | What you take away |
# |---|---|---|---|
# | 00 | Start here | Can you tell? | an interval round any score; a healthy distrust of "95 %" |
# | 01 | Get FaceForensics++ | Where do honest fakes come from? | the data set, its terms, a split that is fair |
# | 02 | Find the face | How does a network look everywhere at once? | face crops out of any video |
# | 03 | Sharp enough? | What does a blurred face lack? | a number for sharpness, and when not to trust it |
# | 04 | An honest data set | How can 99 % be worthless? | balanced batches, and a nose for leaks |
# | 05 | Fine-tune | What is a good start worth? | a detector, and a training loop you understand |
# | 06 | Is it good? | Good for whom? | AUC, thresholds, intervals by clip |
# | 07 | Where does it look? | Did it learn faces, or something else? | heat maps, and the tests they must pass |
#
# **How a lesson works.** It asks; you predict; it shows the thing by hand in a few lines; then it calls the function
# of `torchfakes_utils` that does it properly; then we say what we saw. Do stop at *Predict first*: a wrong guess
# teaches more than a right cell. Every lesson stands alone and builds what it needs. Break things; the *Restart*
# button heals.
#
# **One honest paragraph about ethics.** A deepfake harms the person whose face it borrows; nearly always that person
# did not agree. A detector can do harm too: it will call a true film fake one day, and somebody will be called a liar
# for it. The two women in these pictures did not consent either. Their portraits are free to use, and we bend them
# into fools and frights for a good purpose; treat the results as practice material and do not pass them round as
# pictures of them. Do not judge any real person by what you build here. And where you work on other people's faces,
# ask them first.

# %% [markdown]
# ## Can you tell?
#
# Ten faces from the *test split*: people who are not in training, though they are warps of the same two portraits. Some
# are real, some are fake. For each, press **real** or **fake**; when all ten are answered, the truth comes out.
#
# > **Predict first.** How many of ten will you get right? Write the number down before you look.
#
# The cell also starts the training of the detector, in a process beside this one, so that it learns while you play.
# (If you chose *Run all*, your clicks wait until the cells below are done. Better go one cell at a time.)

# %%
from torchfakes_utils.course import lesson_00

training = lesson_00.train_meanwhile()  # at once, where there is a trained detector already
ten = lesson_00.ten_faces(faces[faces["split"] == "test"], seed=0)
game = lesson_00.Game(ten)
game.show()

# %% [markdown]
# Reading without a kernel? Decide on all ten first, on paper. Then open the fold.

# %%
lesson_00.folded(game.figure("The answers (dashed frames are fakes)", solved=True), "The answers")

# %% tags=["nbval-check-output"]
fakes = ten[ten["label"] == 1]
print(len(ten) - len(fakes), "real,", len(fakes), "fake")
print(ten["target_id"].nunique(), "people,", fakes["method"].nunique(), "kinds of fakes")

# %% [markdown]
# **What we saw.** Some fakes jump out: spectacles painted over somebody else's eyes, a face too smooth for its hair.
# Others hardly differ from the original, by a mouth that moved a few pixels. They are not equally hard, and ten faces
# mix them as chance would have it.

# %% [markdown]
# ## You got seven. How good are you?
#
# Say you got seven of ten. That is not the same as "I am right 70 % of the time": with other ten faces you would have
# had six, or nine.
#
# > **Predict first.** Which true skills could well have given seven of ten? From where to where? And how often does a
# > *coin* get seven or more?
#
# By hand: try every skill between 0 and 1, and keep those for which seven of ten is no surprise. A player of skill
# $s$ gets a share near $s$, with a standard deviation of $\sqrt{s(1-s)/n}$; within 1.96 of those lie 95 % of all
# games.

# %% tags=["nbval-check-output"]
from math import comb

import numpy as np

right, n = 7, 10
skill = np.linspace(0, 1, 100_001)
possible = skill[np.abs(right / n - skill) <= 1.96 * np.sqrt(skill * (1 - skill) / n)]
print(f"by the normal curve:  {possible.min():.3f} to {possible.max():.3f}")

# The normal curve is an approximation. The binomial distribution is exact: P(k right of n | skill).
chance = [comb(n, k) * skill**k * (1 - skill) ** (n - k) for k in range(n + 1)]
at_least, at_most = sum(chance[right:]), sum(chance[: right + 1])
possible = skill[(at_least >= 0.025) & (at_most >= 0.025)]
print(f"by exact counting:    {possible.min():.3f} to {possible.max():.3f}")
print(f"a coin gets 7 or more in {sum(comb(n, k) for k in range(7, n + 1))} of {2**n} games")

# %% [markdown]
# The first is **Wilson's** interval (1927), the second **Clopper and Pearson's** (1934). Both have formulas; scipy
# has them both.

# %% tags=["nbval-check-output"]
from scipy.stats import binomtest

for method in ("wilson", "exact"):
    found = binomtest(right, n).proportion_ci(0.95, method)
    print(f"{method:7s} {found.low:.3f} to {found.high:.3f}")

# %% [markdown]
# **What we saw.** Seven of ten goes with every skill from about a third to above nine in ten. The coin's 50 % lies
# well inside, and a coin does as well or better in about one game of six. The two intervals differ a little, because
# one approximates and the other never promises too much; we use Clopper and Pearson's from here on. **Break it:** set
# `right, n = 70, 100` and run the two cells again. Same share, far less doubt.

# %% [markdown]
# ## Are you better than the model?
#
# The network in the other process is a small detector, trained on people who are not in this game. It saw some
# hundreds of crops, for a few minutes. If it is still at work, the next cell waits for it.
#
# > **Predict first.** On these ten: the model ahead, or you?

# %%
from torchfakes_utils.io.tables import SCORE_COLUMNS, read_table
from torchfakes_utils.metrics.binary import by_clip

lesson_00.wait(training)
scores = read_table(course.ensure("scores"), SCORE_COLUMNS)  # a row a test crop: label, P(fake)
ten = ten.merge(scores[["path", "probability_fake"]], on="path")
clips = by_clip(scores)  # the mean over the frames of a film
rows = [(name, table["probability_fake"], table["label"])
        for name, table in (("the ten", ten), ("all test clips", clips))]  # fmt: skip
lesson_00.strips(rows, "The model's opinion: a good one sends real left and fake right")

# %% [markdown]
# The model does not say "fake". It gives each face a number between 0 and 1, and *we* draw the line at 0.5 (lesson 06
# asks whether that is a good place). Marks on the wrong side of the line are its mistakes.
#
# Now everybody on one axis. If you have not played, an example player with seven of ten stands in for you.

# %%
you = ("you", game.right) if game.done else ("a player with seven", 7)
model_right = int(((ten["probability_fake"] >= 0.5) == ten["label"]).sum())
rows = [(*you, len(ten), "black"), ("the model, the same ten", model_right, len(ten), "black")]
for label, name in enumerate(plots.NAMES):
    called_fake = clips.loc[clips["label"] == label, "probability_fake"] >= 0.5
    correct = int((called_fake == label).sum())
    rows.append((f"the model, {name} test clips", correct, len(called_fake), plots.COLOURS[label]))
lesson_00.score_card(rows, "How much ten faces can tell: mind the lines, not the dots")

# %% [markdown]
# **What we saw.** Look at the lines, not at the dots. Ten faces leave a line about a third of the axis long, or
# longer: even a perfect ten overlaps with the line of a player who got seven. In the test split, the many fake films
# shorten their line; the few real ones cannot. And it counts *films*, not frames: ten frames of one film are nearly
# one picture, and counting them as ten would shorten the line without our knowing any more. Real and fake films have
# a line each on purpose. What a mix of the two does to a score is the next question.

# %% [markdown]
# ## Is a "95 %" detector right 95 % of the time?
#
# Imagine a detector that is right on 95 % of the real films and on 95 % of the fake ones. It runs on a platform where
# one film in 1000 is fake. It raises an alarm.
#
# > **Predict first.** How likely is it that this film is a fake? Pick one: 95 %, 50 %, 20 %, 2 %.
#
# By hand, with heads instead of formulas:

# %% tags=["nbval-check-output"]
films, one_in, correct = 100_000, 1000, 0.95
fakes = films // one_in
true_alarms = correct * fakes
false_alarms = (1 - correct) * (films - fakes)
print(f"{films} films: {fakes} fake, {films - fakes} real")
print(f"alarms: {true_alarms:.0f} on fakes, {false_alarms:.0f} on real films")
print(f"of the alarms, {true_alarms / (true_alarms + false_alarms):.1%} are right")
print(f"a detector that never raises an alarm is right {1 - 1 / one_in:.1%} of the time")

# %% [markdown]
# Move the sliders. How good must the detector be, for every second alarm to be right at one in 1000?

# %%
from torchfakes_utils.course import widgets

widgets.explore(
    lesson_00.alarms,
    labels={"percent_right": "right, in per cent"},
    percent_right=(50.0, 99.9, 0.1, 95.0),
    one_in=lesson_00.prevalence_slider(),
)

# %% [markdown]
# The same in figures, for those who read:

# %% tags=["nbval-check-output"]
print("fakes        95 % right   99 % right   99.9 % right")
for one_in in (2, 10, 100, 1000, 10_000):
    worth = [lesson_00.alarm_is_right(share, share, 1 / one_in) for share in (0.95, 0.99, 0.999)]
    print(f"1 in {one_in:<7}" + "".join(f"{value:11.1%}  " for value in worth))

# %% [markdown]
# **What we saw.** The detector never changed, and the worth of its alarm fell from 95 % to 2 %. Where fakes are rare,
# the false alarms come from the crowd of real films, and they drown the true ones. "95 % right" is a statement about
# a *mix*, and the mix is yours to know. The team's 96 % was such a number: on *their* mix of faces, four fakes to one
# real, answering "fake" to everything would have scored 79 % (lesson 04).

# %% [markdown]
# ## Where did it look?
#
# Last, the picture that everybody wants to see. **Grad-CAM** asks: at which places did the network's features speak
# for its answer? Bright places did, dark ones did not. You will build it yourself in lesson 07; here it is one call.
#
# > **Predict first.** For a face with a swapped middle: will the light lie on the eyes, the mouth, the seam, or
# > beside the face?

# %%
import torch

from torchfakes_utils.crops.table import read_crop
from torchfakes_utils.explanation import explain
from torchfakes_utils.models.detector import load_detector

model = load_detector(course.ensure("run"))
crops = [read_crop(file) for file in ten["file"]]  # (3, 160, 160) uint8 each
images = torch.stack([model.preprocessing.apply(crop) for crop in crops])  # as the network wants them
surest = int(ten["probability_fake"].argmax())
heat = explain.grad_cam(model, images[[surest]], target="fake")[0]  # (S, S), 0 to 1
photo = plots.face(ten["file"][surest])
title = f"Face {surest + 1} of the game: what spoke for “fake”"
plots.images([photo, explain.overlay(photo, heat)], title=title, inches=2.4)

# %% [markdown]
# And all ten, each with what spoke for the answer that it got:

# %%
maps = {target: explain.grad_cam(model, images, target=target) for target in plots.NAMES}
overlays, titles = [], []
for number, face in ten.iterrows():
    said, truth = plots.NAMES[int(face["probability_fake"] >= 0.5)], plots.NAMES[face["label"]]
    overlays.append(explain.overlay(plots.face(face["file"]), maps[said][number]))
    titles.append(f"{number + 1}: said {said}, is {truth}")
plots.images(overlays, titles, 5, "What spoke for the model's answer", list(ten["label"]), inches=1.75)

# %% [markdown]
# **What we saw.** Where it glows, it looks like a reason. Look for pictures that puzzle you: a light beside the face,
# or the same glow on a right answer and on a wrong one. (Some trainings leave a face dark all over. It says that
# nothing at this layer spoke for the answer, which was given all the same.) Before you believe any of them, know
# this: a network that has *never been trained* gives glowing pictures too, and lesson 07 puts the two side by side. A
# heat map is a question, not an answer.

# %% [markdown]
# ## Exercises
#
# Exercises with checks come with a later edition; until then, try:
#
# 1. Change `seed=0` to `seed=1` where the ten faces are drawn, play again, and put the interval round your twenty
#    answers. Which of the two games was harder, and can you be sure?
# 2. A bank films its customers at the till: one in 10,000 is a fake. Use `lesson_00.alarm_is_right` to find how many
#    of the *real* ones the detector must get right for every second alarm to be true. Then ask what it may cost to
#    get there.
# 3. Give `grad_cam` the argument `layer="block8"`, then `layer="repeat_1"`. Same network, same face: which picture
#    would you have shown your boss?
#
# **Open challenge.** Can you raise your own score? Look at twenty training pairs with `plots.faces_grid(...,
# seed=…)`, write down three rules, play a new game, and compare the intervals. If they overlap, did you learn?
#
# ## Misconceptions
#
# - *"A 95 % detector is right 95 % of the time."* Only on the mix on which it was measured. One fake in 1000 makes it
#   2 %.
# - *"Seven of ten is 70 %."* It is anything from about 35 % to 93 %.
# - *"I can see it, so it is fake."* You also see it in some of the real ones. Look at your wrong answers.
#
# ## Recap
#
# - A score without the number of trials behind it is half a score. By hand: keep every skill for which it is no
#   surprise.
# - Count films, not frames, and real and fake apart.
# - What an alarm is worth depends on how rare fakes are, more than on the detector.
# - A heat map is quickly drawn. Whether it explains anything has to be tested.
#
# ## Next
#
# [01 · Get FaceForensics++](01_get_faceforensics.ipynb): where honest fakes come from, what `000_003` means, and why
# a random split is not a fair one.
#
# ## Sources
#
# - E. B. Wilson, *Probable inference, the law of succession, and statistical inference*, Journal of the American
#   Statistical Association, 1927.
# - C. J. Clopper, E. S. Pearson, *The use of confidence or fiducial limits illustrated in the case of the binomial*,
#   Biometrika, 1934.
# - G. Gigerenzer, U. Hoffrage, *How to improve Bayesian reasoning without instruction: frequency formats*,
#   Psychological Review, 1995: why we counted films instead of multiplying probabilities.
# - A. Rössler et al., *FaceForensics++: learning to detect manipulated facial images*, ICCV 2019.
# - R. R. Selvaraju et al., *Grad-CAM: visual explanations from deep networks via gradient-based localization*, ICCV
#   2017.
# - Portraits: Eileen Collins, NASA; Grace Hopper, US Navy; both in the public domain.
