"""The plug-ins of asdf are those that it finds itself, whoever asks for them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from asdf.config import AsdfConfig

from webbweave.datamodels import plugins
from webbweave.datamodels.plugins import load_plugins


@pytest.fixture
def fresh(monkeypatch):
    """A configuration that has looked for nothing yet."""
    config = AsdfConfig()
    monkeypatch.setattr(plugins.asdf, "get_config", lambda: config)
    return config


def described(config):
    return [
        (each.extension_uri, sorted(tag.tag_uri for tag in each.tags), each.package_name)
        for each in config.extensions
    ]


def test_the_same_as_by_asdf_alone(fresh):
    load_plugins()
    expected = described(AsdfConfig())
    assert len(expected) > 20
    assert described(fresh) == expected


def test_the_parser_is_that_of_yaml_again(fresh):
    before = yaml.safe_load
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(load_plugins) for _ in range(8)]:
            done.result()
    assert yaml.safe_load is before


def test_a_plugin_that_fails_changes_nothing(monkeypatch):
    class Failing:
        @property
        def extensions(self):
            raise RuntimeError("broken plug-in")

    before = yaml.safe_load
    monkeypatch.setattr(plugins.asdf, "get_config", Failing)
    with pytest.raises(RuntimeError, match="broken plug-in"):
        load_plugins()
    assert yaml.safe_load is before
