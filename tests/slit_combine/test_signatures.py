"""The interface of the class is that of the page that it was made from."""

from __future__ import annotations

import ast
import inspect
import re

import numpy as np
import pytest
from seed_page import CONSTRUCTOR, METHODS, PROPERTIES, plain, positional

from webbweave.slit_combine import SlitGroup


def test_constructor():
    found = positional(SlitGroup)
    assert list(found) == list(CONSTRUCTOR)
    assert {name: plain(value) for name, value in found.items()} == CONSTRUCTOR
    extra = inspect.signature(SlitGroup).parameters["compat"]
    assert (extra.kind, extra.default) == (inspect.Parameter.KEYWORD_ONLY, False)


@pytest.mark.parametrize("name", METHODS)
def test_method(name):
    found = positional(getattr(SlitGroup, name))
    assert list(found) == list(METHODS[name])
    for key, value in found.items():
        assert plain(value) == plain(METHODS[name][key]), key


@pytest.mark.parametrize("name", PROPERTIES)
def test_property(name):
    assert isinstance(getattr(SlitGroup, name), property)
    assert getattr(SlitGroup, name).__doc__


def test_defaults_cannot_be_changed():
    for function in [SlitGroup, *(getattr(SlitGroup, name) for name in METHODS)]:
        for parameter in inspect.signature(function).parameters.values():
            assert not isinstance(parameter.default, list | dict | set)
            if isinstance(parameter.default, np.ndarray):
                assert not parameter.default.flags.writeable


def test_the_page_says_the_same(shared_dir):
    (page,) = (shared_dir / "seeds").glob("004_*.txt")
    text = page.read_text()
    summary = text.partition("Methods Documentation")[2]
    for name, arguments in METHODS.items():
        (signature,) = re.findall(rf"^{name}\((.*)\)\[source\]$", summary, flags=re.MULTILINE)
        signature = re.sub(r"<class 'float'>", "float", signature)
        signature = signature.replace("array(", "list(")
        call = ast.parse(f"def f({signature}): pass").body[0].args
        assert [item.arg for item in call.args] == list(arguments)
        for given, expected in zip(call.defaults, arguments.values(), strict=True):
            value = eval(ast.unparse(given), {"__builtins__": {}, "list": list, "float": float})
            assert plain(value) == plain(expected)
    first = re.search(r"class msaexp\.slit_combine\.SlitGroup\((.*)\)\[source\]", text)[1]
    call = ast.parse(f"def f({first}): pass").body[0].args
    assert [item.arg for item in call.args] == list(CONSTRUCTOR)
    for given, name in zip(reversed(call.defaults), reversed(CONSTRUCTOR), strict=False):
        assert ast.literal_eval(given) == CONSTRUCTOR[name]
