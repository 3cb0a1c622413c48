"""HDF5 files: a column is a dataset, by its path, and only those that are used are read."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from .arrays import LARGE, RATIO
from .columns import ArrayColumn, Cells, Column, from_array

DAMAGED = (OSError, RuntimeError, KeyError, TypeError, ValueError, MemoryError)
"""What the library raises for a damaged file, wherever the damage is."""


def read_hdf5(path: Path) -> list[Column]:
    """The datasets of a file, by their paths (`group/name`). Links to other files are not followed."""
    file = str(path)
    with path.open("rb"):
        pass
    try:
        import h5py
    except ImportError as error:
        raise DataError(file, "this is read by h5py, which is not installed", "pip install 'gradc[data]'") from error
    names: list[str] = []

    def visit(name: str, found: Any) -> None:
        if isinstance(found, h5py.Dataset):
            # A name that is no text is given as bytes.
            names.append(name if isinstance(name, str) else ascii(name))

    try:
        with h5py.File(path, "r") as opened:
            opened.visititems(visit)
    except DAMAGED as error:
        raise DataError(file, "this is no HDF5 file, or a part of one", "write it again") from error
    if not names:
        raise DataError(file, "there is no dataset in this file", "store arrays as datasets")
    return [ArrayColumn(file, name, partial(_dataset, path, name)) for name in names]


def _dataset(path: Path, name: str) -> Cells:
    """One dataset."""
    import h5py

    file = str(path)
    try:
        with h5py.File(path, "r") as opened:
            dataset = opened[name]
            if dataset.shape is None:
                return Cells(np.empty(0))
            if dataset.nbytes > LARGE and dataset.nbytes > RATIO * max(dataset.id.get_storage_size(), 1):
                what = f"this dataset of {dataset.nbytes} bytes is stored in {dataset.id.get_storage_size()}"
                raise DataError(file, what, "if it is meant, store it uncompressed", column=name)
            text = h5py.check_string_dtype(dataset.dtype)
            array = dataset.asstr()[()] if text is not None else dataset[()]
    except DataError:
        raise
    except DAMAGED as error:
        what = "this dataset cannot be read: the file is damaged, or needs a filter that is not installed"
        raise DataError(file, what, "write it again", column=name) from error
    return from_array(file, name, np.asarray(array))
