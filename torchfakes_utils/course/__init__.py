"""What only a notebook needs: its inputs, one look for every figure, widgets, and the tools that build and run lessons.

What stands here is quick to import; the modules beside it (`plots`, `widgets`, `colab`, …) are imported by their names.
"""

from torchfakes_utils.course.folders import Paths, paths, short
from torchfakes_utils.course.inputs import broken_detector, detector, faces_table
from torchfakes_utils.course.kernel import begin
from torchfakes_utils.course.practice import check, yours
from torchfakes_utils.course.predictions import predict
from torchfakes_utils.course.quizzes import quiz
from torchfakes_utils.course.state import ensure

__all__ = [
    "Paths", "begin", "broken_detector", "check", "detector", "ensure", "faces_table", "paths", "predict", "quiz",
    "short", "yours",
]  # fmt: skip
