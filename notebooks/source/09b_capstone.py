# ---
# jupyter:
#   torchfakes:
#     needs: [capstone, run]
# ---

# %% [markdown]
# # 09b · The capstone
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/torchfakes/torchfakes/blob/v0.1.0/notebooks/09b_capstone.ipynb)
#
# **Forty-eight clips of people whom nobody has met, not even this course's detector. Half of them are fake. You score
# them once, hand in, and learn what your work is worth.**
#
# - **You will** build a hand-in with whatever you like: the course's detector, one of your own, a rule without any
#   network. You say beforehand what you expect, and defend it afterwards.
# - **You need** lessons 03 to 06, better also 07 to 09.
# - **Time:** three hours of your own work, or a team's afternoon; this notebook itself runs in a minute.

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
# ## The clips
#
# They were rendered on this machine from a seed that was drawn for it and thrown away. Twenty-four people are in
# them. Each is seen twice: in a real clip, and in a forged one, by one of the four families of lesson 01. Half of
# them come in c40, the heavy compression that no crop of the detector's training had. The names do not say which, and
# neither does the order.
#
# The answers lie beside the clips, sealed. Sealed is not secret: five lines of Python open them. Whoever does has
# learnt how to open a file, and has lost the one thing that a test is for.

# %%
import pandas as pd

from torchfakes_utils.course import capstone
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.io.video import read_frames

folder = course.ensure("capstone")
clips = sorted((folder / capstone.CLIPS).glob("*.mp4"))
first = [read_frames(clip, count=1)[1][0] for clip in clips[:6]]
titles = [clip.stem for clip in clips[:6]]
plots.images(first, titles, title=f"Six of {len(clips)} clips: which are real?", columns=3, inches=2.1)

# %% [markdown]
# ## The task
#
# 1. **Write down, before you score a clip,** how you will decide, which AUC you expect, and why. A sentence each.
# 2. **Score all clips.** A hand-in is a table with a row a clip: `clip_id`, `probability_fake` from 0 to 1 and, if you
#    want to decide otherwise than at one half, `verdict`: fake, real, or cannot tell.
# 3. **Hand in.** You get the AUC with its interval, the calibration error, and what your verdicts cost the newsroom of
#    lesson 06, which sees ten fakes in a hundred clips: 50 points for a real clip that is called fake, 5 for a fake
#    that is called real, 1 for each clip that a person has to look at. Beside it stands what it costs to look at none.
# 4. **Report on a page**: what you did, what came of it, one picture, one thing that the number does *not* show, and
#    whether you would give your detector to that newsroom.
#
# Everything is allowed that needs no answers: train on Mini-FF++ with other settings, average several detectors, find
# another limit on validation clips. The board counts hand-ins. The first one is the result; whoever hands in five
# times has chosen on the test.

# %% [markdown]
# ## A first hand-in
#
# The course's detector, as `torchfakes predict` runs it. It sets the AUC to beat.

# %%
guess = course.predict("How many of the 24 real clips will the course's detector call fake?", 0, 24)

# %%
predictor = Predictor.from_run(course.ensure("run"), device="cpu")
answers = list(predictor.predict_many(clips, frames=8))
scores = pd.DataFrame(
    {
        "clip_id": [clip.stem for clip in clips],
        "probability_fake": [0.5 if one.probability_fake is None else one.probability_fake for one in answers],
        "verdict": [one.verdict for one in answers],
    }
)
scores["verdict"].value_counts().to_frame("clips")

# %% [markdown]
# Where the detector gave no score, the table says 0.5, which is the honest word for "I do not know". Now the grade.
# This call only grades; it puts nothing on the board.

# %%
grade = capstone.grade(scores, capstone.answers_of(folder))
print("\n".join(grade.lines()))

# %%
guess.answer(grade.false_alarms)

# %% [markdown]
# Of {= grade.clips =} clips, {= grade.false_alarms =} real ones were called fake and {= grade.misses =} fakes were
# called real; {= grade.open =} are left to a person. At the newsroom this costs {= grade.cost : .0f =} points per
# hundred clips. Whoever looks at no clip and believes all pays {= grade.without : .0f =}. Twenty-four people are few:
# drawn again, the AUC may lie anywhere from {= grade.auc_low : .2f =} to {= grade.auc_high : .2f =}.
#
# So "real" for all {= grade.clips =} clips costs {= grade.without : .0f =}: that is what a hand-in has to beat.
# <!-- holds:
#      abs(capstone.grade(scores.assign(verdict="real"), capstone.answers_of(folder)).cost - grade.without) < 1e-6 -->

# %% [markdown]
# ## Yours
#
# Put your table in the place of `None`, and your name beside it. Nothing is handed in until you do.

# %%
mine, name = None, ""  # for instance pd.read_csv("scores.csv"), "Ada"

if mine is None:
    print("nothing handed in yet")
else:
    own, place, board = capstone.hand_in(folder, mine, name)
    print("\n".join(own.lines()), f"\nplace {place} of {len(board)}")

# %% [markdown]
# From a terminal the same is
#
#     torchfakes capstone data/capstone --hand-in scores.csv --name Ada
#
# After the hand-in, and not before, open the answers and look at your errors:

# %%
if mine is not None:
    print(capstone.errors(folder, mine).to_string(index=False))

# %% [markdown]
# ## What is judged
#
# | | points | full marks for |
# |---|---|---|
# | before | 15 | a prediction with a reason, written down before scoring |
# | numbers | 25 | verdicts that cost the newsroom less than no detector; a calibration error below 0.15 |
# | honesty | 25 | intervals beside numbers; limits chosen on validation; one hand-in; what did not work |
# | explanation | 20 | errors looked at one by one; one heat map with a control beside it |
# | judgement | 15 | would you give it to the newsroom, and what has to be said to the people in the clips? |
#
# A hand-in with an AUC of 0.7 that says why can have 90 points. One of 0.99 without a word has 25.
# [The rubric for teachers, and a sample of a report](../docs/capstone.md).

# %% [markdown]
# ## Next
#
# [12 · Phone and browser](12_phone_and_browser.ipynb): the network without Python.
