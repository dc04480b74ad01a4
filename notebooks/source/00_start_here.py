# ---
# jupyter:
#   torchfakes:
#     needs: [faces]
#     unlinked: [score]
# ---

# %% [markdown]
# # 00 · Start here
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/v0.1.0/notebooks/00_start_here.ipynb)
#
# **Ten faces, ten guesses. Then you know how well you spot a fake, how well a small network does on the same faces,
# and where in a face that network looked.**
#
# - **You will be able to** judge ten faces and say how much your score tells, draw a heat map and say what it does not
#   prove, compare yourself, a model and a coin, and count what an alarm is worth when fakes are rare.
# - **You need** Python as far as loops and functions. No GPU, no data set, no statistics.
# - **Time:** about 20 min to read, 25 min of exercises, 60 s to run on two CPU cores. The first time it runs
#   some two minutes longer, while the films are made.
#
# Run a cell with **Shift + Enter**, one after the other. After you have clicked an answer, click into the next cell,
# then Shift + Enter. If many cells are red, fix the first red one and run from there.

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
# ## Can you tell?
#
# Some of these ten people were filmed as they are. Of the others you see a fake: somebody has changed their face. For
# each picture press **real** or **fake**. The truth comes out after the tenth answer.
#
# All ten were made by bending two portraits, and that does not count as a fake. Look for what was done to a face
# *after* that.

# %%
scores_of_ten = ["5 or fewer", "6", "7", "8", "9 or 10"]
guess_right = course.predict("How many of the ten will you get right?", options=scores_of_ten)

# %%
from torchfakes_utils.course import lesson_00

faces = course.faces_table("test")  # the first time, films are made and faces cut out: some two minutes
training = lesson_00.train_meanwhile()  # a network learns in the background while you play
ten = lesson_00.ten_faces(faces, seed=0, bent=lesson_00.distortions(faces["target_id"]))
game = lesson_00.play(ten)  # run again, this cell keeps your answers
game.show()

# %% [markdown]
# Do you read without running? Then decide on all ten first, on paper, and open the fold. (After *Run all*, your
# clicks wait until the cells below are done. Better go one cell at a time.)
#
# The answers name four kinds of forgery. In *Deepfakes* and *FaceSwap* another person's face is put into the film. In
# *Face2Face* and *NeuralTextures* the face stays and is moved, mostly at the mouth. Lesson 01 has more on each.

# %%
lesson_00.folded(game.figure("The answers (dashed borders are fakes)", solved=True), "The answers")

# %%
player, right = ("you", game.right) if game.done else ("an example player", 7)
if game.done:
    guess_right.answer(scores_of_ten[min(max(right - 5, 0), 4)])
else:
    print(f"Nobody has played yet; {player} gets {right}.")
fakes = ten[ten["label"] == 1]
print(f"{len(ten)} people, {len(fakes)} of them fake, by {fakes['method'].nunique()} kinds of forgery")

# %% [markdown]
# How many of the ten are fake was left to chance, as if a coin had been tossed for each. This time
# {= len(fakes) =} are. <!-- holds: 3 <= len(fakes) <= 7 --> Nobody comes twice. Some fakes are easy, such as
# glasses painted over somebody else's eyes. In others only a mouth has moved by a few pixels. If you have not played,
# an example player with seven right answers stands in for you below.

# %% [markdown]
# ## Who are these people?
#
# They are nobody. The best-known data set of this field, FaceForensics++, is given out on request only (lesson 01).
# So the course makes a small one of its own, **Mini-FF++**, from two portraits.

# %%
lesson_00.making_figure()

# %% [markdown]
# On the left are the portraits of the astronaut Eileen Collins and of Rear Admiral Grace Hopper, who wrote one of the
# first compilers. Each is bent like a rubber sheet and given other tones, which makes a new person. That person is
# filmed before a wall, with moving head, light and noise. On the right is a fake of that film, with the other one's
# face. Blue and solid borders are real, orange and dashed ones are fake, here and in all lessons.
#
# Some of these people are bent more than any face is. The game takes its real faces from those that are bent
# least. "Real" means: nobody has forged this film. The fakes are plain image operations, not the work of neural
# networks. So every number below is true of Mini-FF++ and says nothing about deepfakes in the world. The methods are
# the same.
#
# **Whose faces are these?** A deepfake harms the person whose face it borrows; nearly always that person did not
# agree. The two women did not agree either. Their portraits are free to use, and we bend them for practice. Do not pass
# the results round as pictures of them, and do not judge any real person by what you build here.
#
# **The story of this course.** A bootcamp team has one laptop with an old graphics card, a GTX 1070, and wants to
# teach a network to tell deepfakes from real faces. After 80 epochs (rounds of training) it reads 96 % validation
# accuracy: of faces kept out of the training, so many are called right. Then it opens the test set, and the network
# says *Real. Real. Real.* Each lesson gives you one of the tools that would have helped them.
#
# <details><summary>The lessons, and how they work</summary>
#
# | | Lesson | The question |
# |---|---|---|
# | 00 | Start here | Can you tell? |
# | 01 | Get FaceForensics++ | Where do honest fakes come from? |
# | 02 | Find the face | How does a network look everywhere at once? |
# | 02b | From films to faces | Who is lost on the way? |
# | 03 | Sharp enough? | What does a blurred face lack? |
# | 04 | An honest data set | How can 99 % be worthless? |
# | 05 | Fine-tune | What is a good start worth? |
# | 05b | Deep and large | Why can a hundred layers learn? |
# | 06 | Is it good? | Good for whom? |
# | 06b | How sure? | How far may a number be off? |
# | 07 | Where does it look? | Did it learn faces, or something else? |
# | 08 | Real, Real, Real | What broke? |
# | 09 | Share it | What do you owe a stranger who uploads a face? |
# | 09b | The capstone | What is your work worth? |
# | 12 | Phone and browser | What is a model without Python? |
#
# (10, 11 and 13 are not written yet.)
#
# A lesson asks a question, you predict, you write the idea in a few lines, and then it calls the function of
# `torchfakes_utils` that does it properly. A stub that you leave empty never stops a lesson. Every lesson stands
# alone and builds what it needs. Break things; *Restart* heals.
#
# </details>

# %% [markdown]
# ## Where did a network look?
#
# While you played, a small network learned from {= lesson_00.LEARNED_FROM =} crops of other people. It began with
# what it knew of everyday pictures. It gives each face a number between 0 and 1, P(fake), and we say "fake" from 0.5
# on.
#
# Here is the fake of which the network is surest.

# %%
from torchfakes_utils.evaluation.scoring import score
from torchfakes_utils.explanation.heat_maps import grad_cam, inputs

model = lesson_00.first_detector(training)  # waits until it has learned
ten["probability_fake"] = score(model, ten)["probability_fake"].to_numpy()
surest = int(ten["probability_fake"].where(ten["label"] == 1).argmax())
photos = [plots.face(file) for file in ten["file"]]
message = f"Face {surest + 1} of the game: P(fake) is {ten['probability_fake'][surest]:.2f}"
plots.images([photos[surest]], [f"forged: {ten['method'][surest]}"], title=message, labels=[1], inches=3)

# %% [markdown]
# **Grad-CAM** asks where in a picture the network found what supported its answer. You will build it yourself in lesson
# 07; here it is one call.

# %%
guess_look = course.predict("Which part of that fake will glow most?", options=list(lesson_00.PARTS))

# %%
maps = grad_cam(model, inputs(model, ten), target="own")  # (10, S, S), 0 to 1
titles = [f"face {surest + 1}", "its heat map"]
message = f"The heat map of face {surest + 1}, said to be fake"
lesson_00.heat_figure([photos[surest]] * 2, [None, maps[surest]], titles, [1, 1], message, columns=2)

# %%
part = lesson_00.brightest(maps[surest], ten["landmarks"][surest])
guess_look.answer(part)

# %% [markdown]
# On the left face {= surest + 1 =} of the game, a fake by {= ten["method"][surest] =}. On the right the same face: the
# glow lies where Grad-CAM found support for the answer, and the white line is drawn at half of its strength. It is
# brightest on this part: {= part =}. Here are all ten, each with the support for the answer that it got.

# %%
said = (ten["probability_fake"] >= 0.5).astype(int)
labels, titles = ten["label"].tolist(), []
for number, (answer, label) in enumerate(zip(said, labels, strict=True), 1):
    titles.append(f"{number}: said {plots.NAMES[answer]}, is {plots.NAMES[label]}")
lesson_00.heat_figure(photos, list(maps), titles, labels, "Support for each answer, right or wrong")

# %% [markdown]
# Each glow looks like a reason. Now look at the wrong answers, if there are any, and at glows beside the face. (A face
# without any glow says that Grad-CAM found no support for the answer, which was given all the same.) A network that
# has *never been trained* gives such pictures, too. Lesson 07 puts the two side by side. So a heat map is a question
# for you, not an answer.

# %% [markdown]
# ## You got seven. How good are you?
#
# Say you got seven of ten. With ten other faces you would have had six, or nine. So what does seven say? Begin with
# somebody who cannot see at all: a coin plays your game. Each row of `games` is one game, each column a face, and True
# is a right answer.

# %%
import numpy as np

rng = np.random.default_rng(0)
games = rng.random((10_000, 10)) < 0.5  # right with probability one half
print(games[:2].astype(int))

# %%
guess_coin = course.predict("Of 100 such games, in how many does the coin get seven or more?", 0, 100)

# %% [markdown]
# ### Your turn · A coin plays your game
#
# *5 min, difficulty 1 of 3.* Count: in which share of the games are at least `right` answers right? `games` has one
# row for each game. For the three games `[[1, 1, 0], [0, 0, 1], [1, 1, 1]]` and `right=2` it is 2/3. A loop will do.


# %%
def games_at_least(games: np.ndarray, right: int) -> float:
    """The share of the games, (G, N) True or False, with at least `right` right answers."""
    # your code here


course.check(lesson_00.GAMES_AT_LEAST, games_at_least)
games_at_least = course.yours(lesson_00.GAMES_AT_LEAST, games_at_least)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def games_at_least(games, right):
#     won = 0
#     for game in games:
#         if sum(game) >= right:
#             won += 1
#     return won / len(games)
# ```
#
# </details>

# %%
seven_or_more = games_at_least(games, 7)
guess_coin.answer(100 * seven_or_more)
lesson_00.coin_figure(games, 7)

# %% [markdown]
# Each bar is a score, and its height the share of the games that end with it. The black ones are seven and more: a
# coin does that well in {= 100 * seven_or_more : .0f =} games of 100. <!-- holds: 0.15 < seven_or_more < 0.2 -->
# So seven of ten could be skill, and could be luck.
#
# Which skills could have given it? Here is one player for each skill from 0 to 1. `results[0.7]` holds the scores of
# somebody who is right on seven faces of ten *in the long run*, in 2000 games of ten faces.

# %%
skills = np.round(np.linspace(0, 1, 51), 2).tolist()
results = {skill: (rng.random((2000, 10)) < skill).sum(axis=1).tolist() for skill in skills}
print("skill 0.2:", results[0.2][:8], "  skill 0.7:", results[0.7][:8])

# %% [markdown]
# ### Your turn · Which skills could have given this?
#
# *8 min, difficulty 2 of 3.* Keep a skill if your score is no surprise for it: at least one in forty of its games
# (0.025) ends with `right` **or more**, and at least one in forty with `right` **or fewer**. Return the lowest and the
# highest skill that you keep. `results` is a dictionary from skill to scores; its skills come in no order.


# %%
def possible_skills(results: dict[float, list[int]], right: int) -> tuple[float, float]:
    """The lowest and the highest skill for which the score `right` is no surprise."""
    # your code here


course.check(lesson_00.POSSIBLE_SKILLS, possible_skills)
possible_skills = course.yours(lesson_00.POSSIBLE_SKILLS, possible_skills)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def possible_skills(results, right):
#     kept = []
#     for skill, scores in results.items():
#         as_high = sum(score >= right for score in scores) / len(scores)
#         as_low = sum(score <= right for score in scores) / len(scores)
#         if as_high >= 0.025 and as_low >= 0.025:
#             kept.append(skill)
#     return min(kept), max(kept)
# ```
#
# </details>

# %%
low, high = possible_skills(results, 7)
exact_low, exact_high = lesson_00.interval(7, 10)
print(f"by playing:  {low:.2f} to {high:.2f}")
print(f"by counting: {exact_low:.3f} to {exact_high:.3f}")

# %% [markdown]
# Two lines, one idea. The first comes from played games. The second, `lesson_00.interval`, counts all possible games
# instead of playing some (Clopper and Pearson, 1934). They agree, as far as steps of 0.02 between skills and the luck
# of 2000 games allow.
# <!-- holds: abs(low - exact_low) < 0.05 and abs(high - exact_high) < 0.05 -->
#
# This is a **95 % interval**: each skill in it could well have given seven of ten. One game in forty is 2.5 %, and we
# leave out so many at either end: 2.5 % + 2.5 % = 5 %. It reaches from about a third to
# above nine in ten, and a coin's skill, one half, lies well inside.
# <!-- holds: 0.3 < exact_low < 0.4 and exact_high > 0.9 and low < 0.5 < high -->

# %% [markdown]
# ## Are you better than the model?
#
# The network has judged the same ten faces, and other films of people from whom it has not learned. Each mark below
# is a face in the first row, and a whole film in the second.

# %%
real_films = faces.loc[faces["label"] == 0, "clip_id"].nunique()
guess_films = course.predict(f"How many of the {real_films} real films will the model call real?", 0, real_films)

# %%
from torchfakes_utils.crops.table import limit_frames
from torchfakes_utils.metrics.binary import by_clip

scores = score(model, limit_frames(faces, 3))  # three frames of each film
films = by_clip(scores)  # the mean of its frames
groups = {"the ten": ten, "films": films}
rows = [(name, table["probability_fake"], table["label"]) for name, table in groups.items()]
lesson_00.strips(rows, "A good model sends real left and fake right")

# %%
model_right = int((said == ten["label"]).sum())
rows = [(player, right, len(ten), "black"), ("the model, the same ten", model_right, len(ten), "black")]
for label, name in enumerate(plots.NAMES):
    called_fake = films.loc[films["label"] == label, "probability_fake"] >= 0.5
    correct = int((called_fake == label).sum())
    rows.append((f"the model, {name} films", correct, len(called_fake), plots.COLOURS[label]))
(_, reals_right, reals, _), (_, fakes_right, fake_films, _) = rows[2:]
guess_films.answer(reals_right)
print(f"On the ten, the model gets {model_right} right, and {player} {right}.")
lesson_00.score_card(rows, "Ten faces leave a long line")

# %% [markdown]
# Circles are real, crosses are fake; those on the wrong side of 0.5 are mistakes. In the second figure each dot is a
# share of right answers, and each line its interval. Compare the two black lines. For an example player with seven
# right they share more than half of their length. <!-- holds: min(lesson_00.interval(model_right, 10)[1], exact_high)
# - max(lesson_00.interval(model_right, 10)[0], exact_low) > 0.5 * (exact_high - exact_low) --> (If you have not
# played, that player's line is the first.) Where they overlap as much as that, ten faces cannot say who is better,
# whoever is ahead. Lesson 05 has a sharper test: an interval of the difference.
#
# On films the model gets {= reals_right =} of {= reals =} real and {= fakes_right =} of {= fake_films =} fake ones
# right. There are four times as many fakes, <!-- holds: fake_films == 4 * reals --> and their line is the shorter one.
# <!-- holds: lesson_00.interval_length(fakes_right, fake_films) < lesson_00.interval_length(reals_right, reals) -->
# Real and fake have a line each on purpose: the next section shows why. And we count *films*, not frames (the single
# pictures of a film). Ten frames of one film are nearly one picture; counted as ten, they would make the line shorter
# without telling more.

# %% [markdown]
# ## Is an alarm of a "95 %" detector right 95 % of the time?
#
# A detector is right on 95 % of the real films and on 95 % of the fakes. It runs on a platform where one film in 1000
# is fake. It raises an alarm.

# %%
likely = ["95 %", "50 %", "20 %", "2 %"]
guess_alarm = course.predict("How likely is it that this film is a fake?", options=likely)

# %%
truth = (np.arange(100_000) % 1000 == 0).astype(int)  # 1 is fake: one film in 1000
said_so = np.where(rng.random(len(truth)) < 0.95, truth, 1 - truth)  # right on 95 %; 1 is an alarm
print(f"{len(truth):,} films, {truth.sum()} of them fake, {said_so.sum():,} alarms")

# %% [markdown]
# ### Your turn · What an alarm is worth
#
# *5 min, difficulty 1 of 3.* Of all alarms, which share is right? `truth` is 1 for a fake film, `said` is 1 for an
# alarm. For `truth = [1, 0, 0, 1]` and `said = [1, 1, 0, 0]` it is 1/2: two alarms, one of them on a fake.


# %%
def right_alarms(truth: np.ndarray, said: np.ndarray) -> float:
    """The share of the alarms that is right; both (N,), 1 is fake and 1 is an alarm."""
    # your code here


course.check(lesson_00.RIGHT_ALARMS, right_alarms)
right_alarms = course.yours(lesson_00.RIGHT_ALARMS, right_alarms)

# %% [markdown]
# <details><summary>A solution</summary>
#
# ```python
# def right_alarms(truth, said):
#     alarms = right = 0
#     for fact, answer in zip(truth, said):
#         if answer == 1:
#             alarms += 1
#             right += fact
#     return right / alarms
# ```
#
# </details>

# %%
worth = right_alarms(truth, said_so)
on_fakes, on_reals = int(said_so[truth == 1].sum()), int(said_so[truth == 0].sum())
print(f"{on_fakes:,} alarms on fakes, {on_reals:,} on real films: {worth:.1%} of the alarms are right")
print(f"right in all: {(said_so == truth).mean():.1%}; with no alarm at all: {(truth == 0).mean():.1%}")
guess_alarm.answer("2 %")

# %% [markdown]
# The detector finds {= on_fakes =} of {= truth.sum() =} fakes. It also raises {= on_reals : , =} false alarms, since
# there are so many real films. So an alarm is right about 2 % of the time. <!-- holds: 0.015 < worth < 0.023 --> The
# detector's answers, taken all together, are still 95 % right.
# <!-- holds: abs((said_so == truth).mean() - 0.95) < 0.005 --> But that number says little here: a detector that never
# raises an alarm is right on {= (truth == 0).mean() : .1% =} of these films, and finds no fake.
#
# Move the sliders. The bar shows what is expected without luck: {= 0.05 * 99_900 : ,.0f =} false alarms, where this
# draw gave {= on_reals : , =}. <!-- holds: abs(on_reals - 4995) < 300 --> How good must the detector be, for every
# second alarm to be right at one in 1000?

# %%
from torchfakes_utils.course import widgets

widgets.explore(
    lesson_00.alarms,
    labels={"percent_right": "right, in per cent"},
    percent_right=(50.0, 99.9, 0.1, 95.0),
    one_in=lesson_00.prevalence_slider(),
)

# %% tags=["nbval-check-output"]
import pandas as pd

table = {}
for skill in (0.95, 0.99, 0.999):
    shares = {f"1 in {n:,}": lesson_00.alarm_is_right(skill, skill, 1 / n) for n in (2, 10, 100, 1000, 10_000)}
    table[f"right on {100 * skill:g} %"] = pd.Series(shares).map("{:.1%}".format)
pd.DataFrame(table).rename_axis("fakes")

# %% [markdown]
# Each number is the share of the alarms that are right. In the first column the detector never changes, and its alarm
# is worth 95 % at the top, and 2 % or less from the fourth row on.
# <!-- holds: round(lesson_00.alarm_is_right(0.95, 0.95, 1 / 1000), 2) == 0.02 --> Along the row of one in 1000 it
# rises from {= lesson_00.alarm_is_right(0.95, 0.95, 0.001) : .0 % =} to
# {= lesson_00.alarm_is_right(0.999, 0.999, 0.001) : .0 % =}. So both count: how rare fakes are, and how rarely the
# detector is wrong.
#
# A detector that is right on 95 % of both kinds is so whatever the share of fakes; what changes is the worth of its
# alarm. The team's 96 % was weaker still. It was one number for a *mix* of 3.8 fakes to one real face, and answering
# "fake" to everything gives {= 3.8 / 4.8 : .0 % =} there.

# %% [markdown]
# ## Open challenge
#
# Can you raise your own score? Look at pairs of training faces with `plots.faces_grid(course.faces_table("train"),
# 4, seed=…)`, write down three rules, and play new games: `lesson_00.another_game(1).show()`, then 2, and so on. None
# of them shows a film again. You got somewhere if the intervals of your games before and after no longer overlap. How
# many faces does that take?
#
# <details><summary>An answer</summary>
#
# To see a step from 60 % to 80 %, about 100 faces before and 100 after. The intervals are then
# {= lesson_00.interval(60, 100)[0] : .2f =} to {= lesson_00.interval(60, 100)[1] : .2f =} and
# {= lesson_00.interval(80, 100)[0] : .2f =} to {= lesson_00.interval(80, 100)[1] : .2f =}.
# <!-- holds: lesson_00.interval(60, 100)[1] < lesson_00.interval(80, 100)[0] -->
# With your first game and games 1 to 5 you have 60 faces; then the real films run out.
# <!-- holds: len(lesson_00.another_game(5).faces) == 10 --> Of 30 before and 30 after,
# only a larger step shows, such as one from 50 % to 90 %: {= lesson_00.interval(15, 30)[0] : .2f =} to
# {= lesson_00.interval(15, 30)[1] : .2f =} and {= lesson_00.interval(27, 30)[0] : .2f =} to
# {= lesson_00.interval(27, 30)[1] : .2f =}.
# <!-- holds: lesson_00.interval(15, 30)[1] < lesson_00.interval(27, 30)[0] -->
#
# </details>

# %% [markdown]
# ## Quiz

# %%
course.quiz("00")

# %% [markdown]
# ## Misconceptions
#
# - *"95 % right means that 95 % of its alarms are right."* Only where half of the films are fake. With one fake in
#   1000, 2 % of them are.
# - *"Seven of ten is 70 %."* It is anything from about 35 % to 93 %.
# - *"The network looked at the mouth, so the mouth is fake."* The map says where there was support for its answer. Only
#   a mask says where the forger worked.
#
# ## Recap
#
# - A score needs its number of trials. A 95 % interval holds each skill for which the score is no surprise.
# - Count films, not frames, and real and fake apart.
# - What an alarm is worth depends on how rare fakes are as much as on the detector.
# - A heat map is quickly drawn. Whether it explains anything has to be tested (lesson 07).
#
# **What this would have told the team.** With 3.8 fakes to one real face, "always fake" already scores
# {= 3.8 / 4.8 : .0 % =}, so they would have asked for right answers on real faces and on fakes apart before they
# trusted 96 %.
#
# ## Next
#
# [01 · Get FaceForensics++](01_get_faceforensics.ipynb): where honest fakes come from, what `000_003` means, and why
# a random split is not a fair one.

# %% [markdown]
# <details><summary>For whoever teaches this</summary>
#
# Play the game with the whole room first, by show of hands, and write the ten majority answers on the board: the room
# as one player has an interval, too. Draw 100,000 films as one long bar and 100 as a dot on it. The room always stops
# at "but the detector did not get worse": let somebody point at the false alarms on the bar. The second exercise takes
# longest; who has not met dictionaries gets `for skill, scores in results.items()` on the board. If ten minutes are
# missing, leave out "Are you better than the model?". Never leave out the alarms.
#
# </details>
#
# ## Sources
#
# - C. J. Clopper, E. S. Pearson, *The use of confidence or fiducial limits illustrated in the case of the binomial*,
#   Biometrika, 1934.
# - G. Gigerenzer, U. Hoffrage, *How to improve Bayesian reasoning without instruction: frequency formats*,
#   Psychological Review, 1995: why we counted films instead of multiplying probabilities.
# - A. Rössler et al., *FaceForensics++: learning to detect manipulated facial images*, ICCV 2019.
# - R. R. Selvaraju et al., *Grad-CAM: visual explanations from deep networks via gradient-based localization*, ICCV
#   2017.
# - M. Tan, Q. Le, *EfficientNet: rethinking model scaling for convolutional neural networks*, ICML 2019: the small
#   network, in its Lite variant (R. Liu, TensorFlow blog, 2020).
# - Portraits: Eileen Collins, NASA; Grace Hopper, US Navy; both in the public domain.
