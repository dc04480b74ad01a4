"""What of the machine is used: a device by name, and a number of threads that is given back."""

import cv2
import pytest
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.machine import set_threads, thread_limit, torch_device


def test_torch_device(monkeypatch):
    assert torch_device("cpu").type == "cpu"
    with pytest.raises(InputError, match="'toaster' cannot be used"):
        torch_device("toaster")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert torch_device("auto").type == "cpu"
    if not torch.backends.cuda.is_built() or torch.cuda.device_count() == 0:
        with pytest.raises(InputError, match="'cuda' cannot be used"):
            torch_device("cuda")


def test_a_thread_limit_ends_with_its_block_whatever_happens_inside():
    before = torch.get_num_threads(), cv2.getNumThreads()
    try:
        set_threads(3)
        inside = []

        def fails():
            with thread_limit(2):
                inside.extend((torch.get_num_threads(), cv2.getNumThreads()))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fails()
        assert inside == [2, 2]
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (3, 3)
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])
