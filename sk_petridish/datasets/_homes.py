"""Where data sets may lie."""

from __future__ import annotations

import os
from pathlib import Path

from sklearn.datasets import get_data_home

DATA_HOME = [str, os.PathLike, None]
"""What names a folder, the parameter ``data_home``."""


def homes(data_home: str | os.PathLike[str] | None) -> list[str | os.PathLike[str]]:
    """List the folders to look in, first the likeliest.

    Parameters
    ----------
    data_home : str or path-like or None
        The folder that the user names, if any; then there is no other.

    Returns
    -------
    list of str or path-like
        Else the one that ``SK_PETRIDISH_DATA`` names, and scikit-learn's.
    """
    if data_home is not None:
        return [data_home]
    named = os.environ.get("SK_PETRIDISH_DATA")
    return [named, get_data_home()] if named else [get_data_home()]


def find_file(folder: Path, name: str, suffix: str) -> Path | None:
    """Find a file, plain or compressed.

    Parameters
    ----------
    folder : Path
        Where it may be.
    name : str
        Its plain name.
    suffix : str
        What the name of the compressed one ends in, such as ``".gz"``.

    Returns
    -------
    Path or None
        The file, if it is there.
    """
    candidates = (folder / name, folder / f"{name}{suffix}")
    return next((path for path in candidates if path.is_file()), None)
