"""The memory that holds one Arrow IPC file, and ordinary numpy arrays that look into it.

pyarrow marks whatever it hands to numpy as read-only; a DataFrame made of that fails when a task
changes it. So the arrays are laid over the memory itself, which is private to this process: a
mapped file is copied page by page as it is written to, and never changes.
"""

from __future__ import annotations

import hashlib
import itertools
import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

Memory = mmap.mmap | np.ndarray


class DamagedError(ValueError):
    """What the memory holds is no complete Arrow file."""


class Region:
    """Writable memory that holds an Arrow IPC file.

    Parameters
    ----------
    memory
        A private mapping, or an array of bytes.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.buffer = pa.py_buffer(memory)

    @classmethod
    def over_file(cls, path: Path) -> Region:
        """Map a file: nothing is read before it is used, nothing written reaches the file."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            return cls(mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY))
        finally:
            os.close(descriptor)

    @classmethod
    def over_bytes(cls, data: bytes) -> Region:
        """Copy bytes to where they can be written to."""
        return cls(np.frombuffer(bytearray(data), np.uint8))

    def digest(self) -> str:
        """Return the SHA-256 of what lies here."""
        return hashlib.sha256(memoryview(self.buffer)).hexdigest()

    def table(self) -> pa.Table:
        """Return the Arrow table that lies here; nothing is copied.

        Raises
        ------
        DamagedError
            When header, footer or schema is not Arrow's.
        """
        try:
            return pa.ipc.open_file(pa.BufferReader(self.buffer)).read_all()
        except (pa.ArrowException, OSError) as error:
            raise DamagedError(str(error).splitlines()[0]) from error

    def view(self, array: pa.Array, dtype: Any) -> np.ndarray:
        """Return the values of a primitive array as a writable numpy array over the same memory.

        What lies under a null is whatever the writer had there.
        """
        dtype = np.dtype(dtype)
        data = array.buffers()[1]
        if data is None or not len(array):
            return np.empty(0, dtype)
        start = data.address - self.buffer.address + array.offset * dtype.itemsize
        end = start + len(array) * dtype.itemsize
        if not 0 <= start <= end <= self.buffer.size:
            raise DamagedError("a column lies outside the file")
        return np.ndarray(len(array), dtype, self.memory, start)

    def block(self, columns: list[np.ndarray]) -> np.ndarray:
        """Return columns of one dtype as the rows of one array, without a copy if they lie so.

        Arrow pads each column to 8 bytes: columns that follow each other in the file have a
        constant distance, so a two-dimensional view fits over them.
        """
        first = columns[0]
        if len(columns) == 1:
            return first.reshape(1, -1)
        starts = [column.__array_interface__["data"][0] - self.buffer.address for column in columns]
        steps = {after - before for before, after in itertools.pairwise(starts)}
        is_inside = starts[0] >= 0 and starts[-1] + first.nbytes <= self.buffer.size
        if not first.size or not is_inside or len(steps) != 1 or min(steps) < first.nbytes:
            return np.stack(columns)
        shape, strides = (len(columns), len(first)), (steps.pop(), first.itemsize)
        return np.ndarray(shape, first.dtype, self.memory, starts[0], strides)
