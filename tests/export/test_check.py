"""How the time of a file is taken."""

import pytest

from torchfakes_utils.export import check

from helpers.export import noise


def test_latencies_are_taken_in_turn_and_their_median_counts(monkeypatch):
    clock, calls = [0.0], []

    def network(name, seconds):
        def run(crop):
            calls.append(name)
            clock[0] += seconds * (50 if len(calls) % 10 < 2 else 1)  # now and then something else takes the machine
            return crop

        return run

    monkeypatch.setattr(check.time, "perf_counter", lambda: clock[0])
    times = check.latencies({"slow": network("slow", 0.04), "fast": network("fast", 0.01)}, noise(3, 8))
    assert times == pytest.approx({"slow": 40.0, "fast": 10.0})
    assert calls[:4] == ["slow", "fast", "slow", "fast"]
