"""The garbage collector is left as it was found."""

from __future__ import annotations

import gc
import weakref

import pytest
from stdatamodels.jwst.datamodels import ImageModel

from webbweave.garbage import Remembered, collector_paused, old_objects_spared
from webbweave.stpipe import WeaveStep


class Knot:
    def __init__(self):
        self.me = self


@pytest.fixture
def without_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_paused_and_resumed():
    assert gc.isenabled()
    with collector_paused():
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    try:
        with collector_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def fail_inside(context):
    with context:
        raise KeyError


def test_errors_do_not_change_that():
    for context in (collector_paused(), old_objects_spared()):
        with pytest.raises(KeyError):
            fail_inside(context)
        assert gc.isenabled()
        assert gc.get_freeze_count() == 0


def test_the_block_leaves_no_garbage():
    with old_objects_spared():
        left = weakref.ref(Knot())
    assert left() is None


def test_old_objects_are_spared_for_a_while():
    gc.collect()
    old = Knot()
    old_alive = weakref.ref(old)
    with old_objects_spared():
        new = Knot()
        new_alive = weakref.ref(new)
        del old, new
        gc.collect()
        assert old_alive() is not None
        assert new_alive() is None
    gc.collect()
    assert old_alive() is None
    assert gc.get_freeze_count() == 0


def test_objects_that_others_froze_stay_frozen():
    gc.freeze()
    try:
        with old_objects_spared():
            pass
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_what_is_remembered_counts_until_it_is_known_to_be_in_use():
    memory = Remembered()
    things = [Knot() for _ in range(3)]
    for thing in (*things, things[0]):
        memory.add(thing, 100, 7)
    assert memory.lost_bytes() == 300
    assert memory.lost_bytes(held=things[:1]) == 200
    del thing, things[2]  # in a cycle: it is still there
    assert memory.lost_bytes(held=things) == 100
    memory.collect()
    assert memory.lost_bytes() == 0
    things[1].me = None
    del things[1]  # in no cycle any more, but what was in it may be
    assert memory.lost_bytes() == 7
    things.append(Knot())
    memory.add(things[-1], 100, 7)
    assert memory.lost_bytes(held=things[-1:]) == 7
    assert memory.lost_bytes() == 107


def test_much_old_garbage_is_collected_first():
    gc.collect()
    for n_bytes in (10**6, 10**9):
        old = Knot()
        alive = weakref.ref(old)
        del old
        with old_objects_spared(n_bytes):
            assert (alive() is None) == (n_bytes > 10**6)
    gc.collect()


class Idle(WeaveStep):
    def process(self, init):
        return init


def test_steps_one_after_the_other_leave_bounded_garbage(without_collector):
    alive = []
    for _ in range(30):
        model = ImageModel((4, 4))
        model.knot = Knot()
        alive.append(weakref.ref(model.knot))
        Idle().run(model)
        del model
    assert sum(reference() is not None for reference in alive) < 10


def test_models_in_use_are_not_collected_again_and_again(without_collector, monkeypatch):
    models = [ImageModel((4, 4)) for _ in range(10)]
    count = []
    monkeypatch.setattr("webbweave.stpipe._MODELS.collect", lambda: count.append(1))
    for _ in range(20):
        Idle().run(models)
    assert len(count) <= 1  # for what other tests have left
