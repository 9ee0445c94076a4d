"""Small pictures for the guides."""

# ruff: noqa: T201
from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent


def save_small(png: bytes, name: str, *, most_kb: float = 120.0) -> None:
    """Write a PNG beside this file, with 128 colours: enough, and a third of the size."""
    path = HERE / f"{name}.png"
    Image.open(io.BytesIO(png)).convert("RGB").quantize(128).save(path, optimize=True)
    size = path.stat().st_size / 1000
    assert size < most_kb, f"{path.name} has {size:.0f} kB"
    print(f"{path.name}: {size:.0f} kB")
