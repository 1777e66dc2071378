"""The Penn Treebank, from the files of the usual names."""

from __future__ import annotations

import os
from pathlib import Path

from sklearn.utils import Bunch

from sk_petridish._compat._validation import validate_params

from ._homes import DATA_HOME, find_file, homes
from ._text import as_streams, read_lines

_PARTS = ("train", "valid", "test")


@validate_params(data_home=DATA_HOME)
def load_penn_treebank(data_home: str | os.PathLike[str] | None = None) -> Bunch:
    """Load the Penn Treebank as language models read it.

    The three files of Mikolov's preprocessing, ``ptb.train.txt``, ``ptb.valid.txt`` and
    ``ptb.test.txt``, plain or compressed (``.xz``), are read from the folder ``ptb`` under
    ``data_home``, under the folder that the environment variable ``SK_PETRIDISH_DATA``
    names, or under scikit-learn's data home, whichever has them first. The text is
    licensed by the LDC, and nothing downloads it.

    Parameters
    ----------
    data_home : str or path-like, default=None
        A folder that holds ``ptb``. ``None``: see above.

    Returns
    -------
    :class:`~sklearn.utils.Bunch`
        Dictionary-like, with

        train, valid, test : ndarray of shape (n_tokens,), int64
            929,589, 73,760 and 82,430 words, as places in the vocabulary. The end of a
            line is one of them.
        vocabulary : list of str
            The 10,000 words, most frequent first.
        DESCR : str
            Where the text came from.

    Raises
    ------
    FileNotFoundError
        If no folder has the files; the message says where to get them.

    See Also
    --------
    load_text : Any other text.
    limit_vocabulary : Keeps frequent words only.

    Examples
    --------
    >>> from sk_petridish.datasets import load_penn_treebank
    >>> text = load_penn_treebank()  # doctest: +SKIP
    >>> len(text.train), len(text.vocabulary)  # doctest: +SKIP
    (929589, 10000)
    """
    folders = [Path(home) / "ptb" for home in homes(data_home)]
    for folder in folders:
        files = [find_file(folder, f"ptb.{part}.txt", ".xz") for part in _PARTS]
        if None not in files:
            train, valid, test = (read_lines(path) for path in files if path is not None)
            description = f"Penn Treebank (Marcus et al.), read from {folder}."
            return as_streams(train, valid, test, description)
    raise FileNotFoundError(
        "The Penn Treebank's files ptb.train.txt, ptb.valid.txt and ptb.test.txt, plain or .xz, "
        f"are in none of {[str(folder) for folder in folders]}. They belong to the LDC "
        "(https://catalog.ldc.upenn.edu/LDC99T42); the preprocessed files are in the folder "
        "data of Mikolov's simple-examples.tgz. Put them there, or name the folder above ptb by "
        "data_home or the environment variable SK_PETRIDISH_DATA."
    )
