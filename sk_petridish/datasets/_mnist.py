"""MNIST, from IDX files or from OpenML."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import fetch_openml
from sklearn.utils import Bunch

from sk_petridish._compat._validation import validate_params

from ._homes import DATA_HOME, find_file, homes

_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_IDX_UNSIGNED_BYTE = 0x08


@validate_params(data_home=DATA_HOME)
def load_mnist(data_home: str | os.PathLike[str] | None = None) -> Bunch:
    """Load the MNIST images.

    The four files of the original distribution, ``train-images-idx3-ubyte`` and
    so on, plain or gzipped, are read from the folder ``mnist`` under ``data_home``,
    under the folder that the environment variable ``SK_PETRIDISH_DATA`` names, or
    under scikit-learn's data home, whichever has them first. Where none has them,
    scikit-learn downloads MNIST from OpenML and caches it.

    Parameters
    ----------
    data_home : str or path-like, default=None
        A folder that holds ``mnist``, and scikit-learn's download cache. ``None``:
        see above.

    Returns
    -------
    :class:`~sklearn.utils.Bunch`
        Dictionary-like, with

        data : ndarray of shape (70000, 784), uint8
            Pixels, 0 to 255; the 60,000 training images come first.
        target : ndarray of shape (70000,), int64
            Digits.
        DESCR : str
            Where the images came from.

    Raises
    ------
    ValueError
        If a file is not the IDX file that its name says.

    Examples
    --------
    >>> from sk_petridish.datasets import load_mnist
    >>> mnist = load_mnist()  # doctest: +SKIP
    >>> mnist.data.shape  # doctest: +SKIP
    (70000, 784)
    """
    for home in homes(data_home):
        folder = Path(home) / "mnist"
        files = [find_file(folder, name, ".gz") for name in _FILES]
        if None not in files:
            train_images, train_labels, test_images, test_labels = map(
                _read_idx, filter(None, files)
            )
            return Bunch(
                data=np.concatenate([train_images, test_images]).reshape(-1, 784),
                target=np.concatenate([train_labels, test_labels]).astype(np.int64),
                DESCR=f"MNIST (LeCun, Cortes, Burges), read from IDX files in {folder}.",
            )
    fetched = fetch_openml(
        "mnist_784",
        version=1,
        as_frame=False,
        parser="liac-arff",  # the other one needs pandas
        data_home=data_home,
    )
    return Bunch(
        data=fetched.data.astype(np.uint8),
        target=fetched.target.astype(np.int64),
        DESCR="MNIST (LeCun, Cortes, Burges), from OpenML data set mnist_784.",
    )


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of unsigned bytes: a magic number, the shape, the values."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    n_axes = content[3] if len(content) > 3 else 0
    header = 4 + 4 * n_axes
    if len(content) < header or content[:3] != bytes([0, 0, _IDX_UNSIGNED_BYTE]):
        raise ValueError(f"{path} is not an IDX file of unsigned bytes.")
    shape = np.frombuffer(content, dtype=">u4", count=n_axes, offset=4).astype(int)
    if len(content) != header + shape.prod():
        raise ValueError(f"{path} is truncated or damaged: its size does not match its header.")
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)
