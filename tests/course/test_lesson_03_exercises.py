"""What lesson 03's checks say: right solutions however they are written, and the mistakes that learners make."""

import cv2
import numpy as np
import pandas as pd
import torch
from scipy import ndimage

from torchfakes_utils.course import lesson_03
from torchfakes_utils.course.practice import State

from helpers.exercises import assert_line, assert_teaches

CROSS = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]


def slid(grey, weights=CROSS, border=cv2.BORDER_REFLECT_101):
    return cv2.filter2D(np.asarray(grey, float), -1, np.array(weights, float), borderType=border)


def looped(grey):
    height, width = grey.shape
    answer = [[0.0] * width for _ in range(height)]
    for row in range(height):
        for column in range(width):
            for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                # Reflected about the border's pixel: -1 is 1, and height is height - 2.
                y, x = abs(row + down), abs(column + right)
                y, x = min(y, 2 * height - 2 - y), min(x, 2 * width - 2 - x)
                answer[row][column] += float(grey[y, x]) - float(grey[row, column])
    return answer


def by_torch(grey):
    picture = torch.as_tensor(grey, dtype=torch.float32)[None, None]
    around = torch.nn.functional.pad(picture, (1, 1, 1, 1), mode="reflect")
    return torch.nn.functional.conv2d(around, torch.tensor([[CROSS]], dtype=torch.float32))[0, 0]


def in_uint8(grey):
    around = np.pad(grey, 1, mode="reflect")
    return around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:] - 4 * around[1:-1, 1:-1]


def inside_only(grey):
    answer = np.zeros(grey.shape)
    for row in range(1, grey.shape[0] - 1):
        for column in range(1, grey.shape[1] - 1):
            window = grey[row - 1 : row + 2, column - 1 : column + 2].astype(float)
            answer[row, column] = (window * CROSS).sum()
    return answer


def test_laplacian():
    assert_teaches(
        lesson_03.LAPLACIAN,
        right=[slid, looped, by_torch, lambda grey: cv2.Laplacian(grey, cv2.CV_64F)],
        wrong={
            "take it away, four times": lambda grey: slid(grey, [[0, 1, 0], [1, 4, 1], [0, 1, 0]]),
            "take the middle away once": lambda grey: slid(grey, [[0, 1, 0], [1, -1, 1], [0, 1, 0]]),
            "other way round": lambda grey: -slid(grey),
            "along the row alone": lambda grey: slid(grey, [[1, -2, 1]]),
            "along the column alone": lambda grey: slid(grey, [[1], [-2], [1]]),
            "not eight": lambda grey: slid(grey, [[1, 1, 1], [1, -8, 1], [1, 1, 1]]),
            "the four diagonal neighbours": lambda grey: slid(grey, [[1, 0, 1], [0, -4, 0], [1, 0, 1]]),
            "which stays 0": inside_only,
            "mean of the neighbours": lambda grey: slid(grey) / 4,
            "−190 became 66": in_uint8,
            "sees zeros": lambda grey: ndimage.convolve(grey.astype(float), CROSS, mode="constant"),
            "sees itself": lambda grey: slid(grey, border=cv2.BORDER_REPLICATE),
            "lose the border": lambda grey: slid(grey)[1:-1, 1:-1],
        },
    )


def test_a_laplacian_that_opencv_cut_off_at_zero_is_told_where_it_departs():
    said = assert_line(lesson_03.LAPLACIAN, lambda grey: cv2.Laplacian(grey, -1), 0, State.WRONG)
    assert "values differ" in said


def resized(grey, size):
    return cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA if len(grey) > size else cv2.INTER_LINEAR)


def test_sharpness():
    assert_teaches(
        lesson_03.SHARPNESS,
        right=[
            lambda grey, size: torch.tensor(slid(resized(grey, size))).var(correction=0),
            lambda grey, size: [lesson_03.LAPLACIAN.reference(resized(grey, size)).var()][0],
            lambda grey, size: (slid(resized(grey, size)) ** 2).mean() - slid(resized(grey, size)).mean() ** 2,
        ],
        wrong={
            "at its own size": lambda grey, size: slid(grey).var(),
            "standard deviation": lambda grey, size: np.std(slid(resized(grey, size))),
            "resize the answers": lambda grey, size: resized(slid(grey), size).var(),
            "negative half": lambda grey, size: cv2.Laplacian(resized(grey, size), -1).var(),
            "needs INTER_AREA": lambda grey, size: slid(cv2.resize(grey, (size, size))).var(),
            "needs INTER_LINEAR": lambda grey, size: slid(
                cv2.resize(grey, (size, size), interpolation=cv2.INTER_AREA)
            ).var(),
            "other way round": lambda grey, size: slid(
                cv2.resize(grey, (size, size), interpolation=cv2.INTER_LINEAR if len(grey) > size else cv2.INTER_AREA)
            ).var(),
            "End with their variance": lambda grey, size: slid(resized(grey, size)),
            "mean size": lambda grey, size: abs(slid(resized(grey, size))).mean(),
            "plus and minus cancel": lambda grey, size: slid(resized(grey, size)).mean(),
        },
    )


def by_simulation(kernel):
    """No solution that a check should call right: it is nearly so, and departs with the draw."""
    noise = np.random.default_rng(0).normal(size=(200, 200))
    return ndimage.convolve(noise, kernel.astype(float)).var()


def test_noise_gain():
    assert_teaches(
        lesson_03.NOISE_GAIN,
        right=[
            lambda kernel: sum(weight**2 for row in kernel.tolist() for weight in row),
            lambda kernel: torch.as_tensor(kernel).square().sum(),
            lambda kernel: np.linalg.norm(kernel) ** 2,
        ],
        wrong={
            "plus and minus cancel": lambda kernel: kernel.sum(),
            "square the sum": lambda kernel: float(kernel.sum()) ** 2,
            "sizes of the weights": lambda kernel: np.abs(kernel).sum(),
            "leave out the root": np.linalg.norm,
            "mean of the squares": lambda kernel: np.mean(kernel**2),
            "count the weights": lambda kernel: len(kernel.ravel()),
            "each draw differs": by_simulation,
            "variance of the weights themselves": np.var,
        },
    )


def shares(faces, threshold):
    return (faces["sharpness"] < threshold).groupby(faces["method"]).mean()


def in_a_loop(faces, threshold):
    found = {}
    for method in faces["method"].unique():
        own = [row.sharpness for row in faces.itertuples() if row.method == method]
        found[method] = len([value for value in own if value < threshold]) / len(own)
    return found


def test_share_rejected():
    assert_teaches(
        lesson_03.SHARE_REJECTED,
        right=[
            shares,
            in_a_loop,
            lambda faces, threshold: shares(faces, threshold).to_dict(),
            lambda faces, threshold: faces.groupby("method")["sharpness"].agg(lambda own: (own < threshold).mean()),
        ],
        wrong={
            "whose crops the rejected ones are": lambda faces, threshold: (
                faces[faces["sharpness"] < threshold]["method"]
                .value_counts(normalize=True)
                .reindex(sorted(faces["method"].unique()), fill_value=0.0)
            ),
            "size of the whole table": lambda faces, threshold: (
                (faces["sharpness"] < threshold).groupby(faces["method"]).sum() / len(faces)
            ),
            "at the threshold stays": lambda faces, threshold: (
                (faces["sharpness"] <= threshold).groupby(faces["method"]).mean()
            ),
            "share that stays": lambda faces, threshold: 1 - shares(faces, threshold),
            "You count crops": lambda faces, threshold: (faces["sharpness"] < threshold).groupby(faces["method"]).sum(),
            "per cent": lambda faces, threshold: 100 * shares(faces, threshold),
            "loses nothing": lambda faces, threshold: shares(faces, threshold)[lambda share: share > 0],
            "iloc": lambda faces, threshold: [faces["sharpness"][i] < threshold for i in range(len(faces))],
            "gives its column names": lambda faces, threshold: [face["sharpness"] < threshold for face in faces],
            "is expected": lambda faces, threshold: float((faces["sharpness"] < threshold).mean()),
        },
    )


def test_a_table_of_shares_by_method_is_told_what_is_missing():
    def as_a_table(faces, threshold):
        return pd.DataFrame({"share": shares(faces, threshold)})

    assert "yours is a table" in assert_line(lesson_03.SHARE_REJECTED, as_a_table, 0, State.WRONG)


def test_a_method_that_is_forgotten_has_a_share_too():
    said = assert_line(lesson_03.SHARE_REJECTED, lambda *_: {"youtube": 0.5}, 0, State.WRONG)
    assert "lacks 'Deepfakes': a method of which nothing goes has the share 0" in said
