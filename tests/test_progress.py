"""Progress: seconds add up, and an interrupt is not lost."""

from __future__ import annotations

import pytest

from webbweave.progress import Progress


@pytest.mark.parametrize("bar", [False, True])
def test_items_come_in_order(bar):
    assert list(Progress(bar=bar).track(iter("abc"), "letters", 3)) == ["a", "b", "c"]


@pytest.mark.parametrize("bar", [False, True])
def test_work_stops_when_it_is_interrupted(bar):
    progress = Progress(bar=bar)
    taken = []

    def work():
        for item in progress.track(range(10), "numbers"):
            taken.append(item)
            # As if the exception of the interrupt had been swallowed.
            progress.interrupted = item == 2

    with pytest.raises(KeyboardInterrupt):
        work()
    assert taken == [0, 1, 2]


def test_seconds_add_up():
    one, two = Progress(), Progress()
    for progress in (one, two, two):
        with progress.stage("work"):
            pass
    assert two.seconds["work"] > 0
    total = one.seconds["work"] + two.seconds["work"]
    one.add(two)
    assert one.seconds == {"work": total}
