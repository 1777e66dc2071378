"""Text files as streams of numbered words."""

from __future__ import annotations

import lzma
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Bunch

from sk_petridish._compat._constraints import integers, reals
from sk_petridish._compat._validation import validate_params

END_OF_LINE, UNKNOWN = "<eos>", "<unk>"

Tokens = NDArray[np.int64]


@validate_params(path=[str, os.PathLike], valid_fraction=[reals(0, 1)], test_fraction=[reals(0, 1)])
def load_text(
    path: str | os.PathLike[str],
    *,
    valid_fraction: float = 0.08,
    test_fraction: float = 0.08,
) -> Bunch:
    r"""Load a text file of one's own as a stream of words.

    Words are what lies between blanks; every line ends in a word of its own, ``<eos>``. The
    last lines are for the test, those before them for validation. Words that no training
    line has are one, ``<unk>``.

    Parameters
    ----------
    path : str or path-like
        A text file, plain or compressed (``.xz``), in UTF-8.
    valid_fraction, test_fraction : float, default=0.08
        Shares of the lines.

    Returns
    -------
    :class:`~sklearn.utils.Bunch`
        Dictionary-like, with

        train, valid, test : ndarray of shape (n_tokens,), int64
            The streams, as places in the vocabulary.
        vocabulary : list of str
            The words, most frequent first.
        DESCR : str
            Where the text came from.

    Raises
    ------
    ValueError
        If a share is not between 0 and 1, or a part has no line.

    See Also
    --------
    load_penn_treebank : The text of experiment 4.2.
    limit_vocabulary : Keeps frequent words only.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sk_petridish.datasets import load_text
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "seas.txt")
    ...     written = path.write_text("the sea\nthe sky\n" * 10)
    ...     text = load_text(path, valid_fraction=0.1, test_fraction=0.1)
    >>> text.vocabulary
    ['the', '<eos>', 'sea', 'sky', '<unk>']
    >>> text.valid
    array([0, 2, 1, 0, 3, 1])
    """
    if valid_fraction + test_fraction >= 1:
        raise ValueError(
            "The sum of valid_fraction and test_fraction must be less than 1, got "
            f"{valid_fraction} and {test_fraction}."
        )
    lines = read_lines(Path(path))
    n_test = round(test_fraction * len(lines))
    n_valid = round(valid_fraction * len(lines))
    n_train = len(lines) - n_valid - n_test
    if min(n_train, n_valid, n_test) < 1:
        raise ValueError(f"{path} has {len(lines)} lines, too few for three parts.")
    parts = lines[:n_train], lines[n_train : n_train + n_valid], lines[n_train + n_valid :]
    return as_streams(*parts, f"Text from {path}.")


def read_lines(path: Path) -> list[list[str]]:
    """Read a file's lines, each as its words and the end of a line."""
    opened = lzma.open if path.suffix == ".xz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        return [[*line.split(), END_OF_LINE] for line in file]


def as_streams(
    train: list[list[str]], valid: list[list[str]], test: list[list[str]], description: str
) -> Bunch:
    """Return words numbers by their frequency in the training lines."""
    # Of equally frequent words, the one that comes first in the text.
    counted = Counter(word for line in train for word in line).most_common()
    vocabulary = [word for word, _ in counted]
    if UNKNOWN not in vocabulary:
        vocabulary.append(UNKNOWN)
    places = {word: place for place, word in enumerate(vocabulary)}
    return Bunch(
        train=_stream(train, places),
        valid=_stream(valid, places),
        test=_stream(test, places),
        vocabulary=vocabulary,
        DESCR=description,
    )


@validate_params(text=[Bunch], n_words=[integers(2)])
def limit_vocabulary(text: Bunch, n_words: int) -> Bunch:
    """Keep the most frequent words; all others become the unknown one, ``<unk>``.

    Models of fewer words are trained faster. Their losses are of an easier task: compare
    them among each other only.

    Parameters
    ----------
    text : :class:`~sklearn.utils.Bunch`
        As :func:`load_text` and :func:`load_penn_treebank` give it.
    n_words : int
        Size of the vocabulary. The end of a line and the unknown word are among them.

    Returns
    -------
    :class:`~sklearn.utils.Bunch`
        The same text in fewer words.

    Raises
    ------
    ValueError
        If there are fewer than two words.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.utils import Bunch

    from sk_petridish._compat._constraints import integers, reals
    from sk_petridish._compat._validation import validate_params
    >>> from sk_petridish.datasets import limit_vocabulary
    >>> stream = np.array([1, 2, 0, 1, 3, 0])
    >>> text = Bunch(
    ...     train=stream, valid=stream, test=stream, DESCR="Nature.",
    ...     vocabulary=["<eos>", "the", "sea", "sky", "<unk>"],
    ... )
    >>> fewer = limit_vocabulary(text, 3)
    >>> fewer.vocabulary
    ['<eos>', 'the', '<unk>']
    >>> fewer.train
    array([1, 2, 0, 1, 2, 0])
    """
    words = text.vocabulary if UNKNOWN in text.vocabulary else [*text.vocabulary, UNKNOWN]
    special = [word for word in (END_OF_LINE, UNKNOWN) if word in words]
    ordinary = [word for word in words if word not in special]
    kept = {*special, *ordinary[: n_words - len(special)]}
    vocabulary = [word for word in words if word in kept]
    places = {word: place for place, word in enumerate(vocabulary)}
    mapping = np.array([places.get(word, places[UNKNOWN]) for word in words], np.int64)
    streams = {part: mapping[text[part]] for part in ("train", "valid", "test")}
    return Bunch(**streams, vocabulary=vocabulary, DESCR=text.DESCR)


def _stream(lines: Iterable[list[str]], places: dict[str, int]) -> Tokens:
    unknown = places[UNKNOWN]
    return np.array([places.get(word, unknown) for line in lines for word in line], np.int64)
