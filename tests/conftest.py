"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from webbweave.data import example_exposures

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the source tree."""
    return ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of reference data that are too large to bundle; tests skip where it is missing."""
    if named := os.environ.get("WEBBWEAVE_TEST_DATA"):
        folder = Path(named)
        if not folder.is_dir():
            pytest.fail(f"WEBBWEAVE_TEST_DATA names {folder}, which is no folder")
        return folder
    folder = ROOT.parent / "shared"
    if not ((folder / "spec").is_dir() and (folder / "data").is_dir()):
        pytest.skip("needs the reference data: set WEBBWEAVE_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def example_files() -> list[Path]:
    """The three bundled NIRSpec PRISM exposures."""
    return example_exposures()
