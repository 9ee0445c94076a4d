"""The garbage collector is left as it was found."""

from __future__ import annotations

import gc
import weakref

import pytest

from webbweave.garbage import collector_paused, old_objects_spared


class Knot:
    def __init__(self):
        self.me = self


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
