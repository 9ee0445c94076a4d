"""The binary blocks of an ASDF file in memory."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from webbweave.wcs.transforms import NotPlainError

__all__ = ["BinaryBlocks"]

# Layout of a block: ASDF Standard 1.6, "Low-level file layout", section "Binary blocks".
_MAGIC = b"\xd3BLK"
#: Flags, compression, allocated, used and data size; a checksum follows.
_HEADER = struct.Struct(">I4sQQQ")
#: Bytes of the magic and of the size of the header that follows them.
_BEFORE_HEADER = 6
_NOT_COMPRESSED = b"\0\0\0\0"

_DATATYPES = {"float64": "f8", "float32": "f4", "int64": "i8", "int32": "i4", "int16": "i2"}
_BYTE_ORDERS = {"little": "<", "big": ">"}


class BinaryBlocks:
    """
    The blocks of one file, found when first needed.

    Parameters
    ----------
    raw : bytes
        The file.
    start : int
        Where the blocks begin: the end of the YAML.
    """

    def __init__(self, raw: bytes, start: int) -> None:
        self._raw = raw
        self._start = start
        self._places: list[tuple[int, int]] | None = None

    def __len__(self) -> int:
        if self._places is None:
            self._places = list(self._find())
        return len(self._places)

    def _find(self) -> Any:
        position = self._start
        while self._raw[position : position + len(_MAGIC)] == _MAGIC:
            size = int.from_bytes(self._raw[position + 4 : position + _BEFORE_HEADER], "big")
            position += _BEFORE_HEADER
            if size < _HEADER.size or position + size > len(self._raw):
                raise NotPlainError("a block header that is too short")
            flags, compression, allocated, used, data_size = _HEADER.unpack_from(
                self._raw, position
            )
            position += size
            plain = not flags and compression == _NOT_COMPRESSED and used == data_size
            yield position, used if plain else -1
            position += allocated

    def array(
        self, index: int, datatype: str, byteorder: str, shape: tuple[int, ...]
    ) -> NDArray[np.float64]:
        """
        Return the array in a block.

        Parameters
        ----------
        index : int
            Number of the block.
        datatype, byteorder : str
            As ASDF calls them.
        shape : tuple of int
            Shape of the array.

        Returns
        -------
        ndarray of float64
            A copy.

        Raises
        ------
        NotPlainError
            If there is no such block, or it is compressed, or of another size or type.
        """
        if datatype not in _DATATYPES or byteorder not in _BYTE_ORDERS or index >= len(self):
            raise NotPlainError(f"an array of {byteorder} {datatype} in block {index}")
        assert self._places is not None
        start, size = self._places[index]
        dtype = np.dtype(_BYTE_ORDERS[byteorder] + _DATATYPES[datatype])
        count = int(np.prod(shape))
        if size != count * dtype.itemsize or start + size > len(self._raw):
            raise NotPlainError(f"block {index} has {size} bytes for shape {shape}")
        values = np.frombuffer(self._raw, dtype, count, start)
        return values.astype(np.float64).reshape(shape)
