"""The shipped table, and the loaders of images and texts."""

import csv
import gzip
import lzma
import shutil
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils import Bunch

from sk_petridish.datasets import (
    _mnist,
    limit_vocabulary,
    load_mnist,
    load_penn_treebank,
    load_sigmoid_slopes,
    load_text,
)


def test_the_table_covers_what_the_experiment_needs():
    table = load_sigmoid_slopes()
    slopes = table.data.ravel()
    assert len(slopes) >= 60
    assert slopes.min() == 0.01
    assert slopes.max() == 2.01
    assert np.sum((slopes >= 0.37) & (slopes <= 1.5)) >= 30
    assert np.sum(slopes < 0.37) >= 20
    _, counts = np.unique(table.runs["slope"], return_counts=True)
    assert counts.min() >= 3


def test_the_target_is_one_minus_mean_accuracy():
    table = load_sigmoid_slopes()
    path = resources.files("sk_petridish.datasets") / "data" / "sigmoid_slopes.csv"
    with path.open() as file:
        rows = list(csv.DictReader(file))
    for slope, error, loss in list(zip(table.data.ravel(), table.target, table.loss, strict=True))[
        ::7
    ]:
        runs = [row for row in rows if float(row["slope"]) == slope]
        assert error == pytest.approx(1 - np.mean([float(r["validation_accuracy"]) for r in runs]))
        assert loss == pytest.approx(np.mean([float(r["validation_loss"]) for r in runs]))
    assert len({(row["slope"], row["run"]) for row in rows}) == len(rows)


def test_the_measured_peak_is_in_its_interval_and_left_of_the_training_interval():
    table = load_sigmoid_slopes()
    low, high = table.peak_interval
    assert low <= table.peak <= high
    assert table.peak < 0.37
    assert f"{table.peak:.2f}" in table.DESCR


def write_idx(path, values):
    header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, dtype=">u4").tobytes()
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wb") as file:
        file.write(header + values.tobytes())


@pytest.fixture
def small_mnist(tmp_path):
    folder = tmp_path / "mnist"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for split, n in (("train", 5), ("t10k", 3)):
        images = generator.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        write_idx(folder / f"{split}-images-idx3-ubyte.gz", images)
        write_idx(folder / f"{split}-labels-idx1-ubyte", np.arange(n, dtype=np.uint8))
    return tmp_path


@pytest.mark.parametrize("how", ["argument", "environment", "scikit-learn"])
def test_idx_files_are_read_plain_or_gzipped(small_mnist, monkeypatch, how):
    monkeypatch.delenv("SK_PETRIDISH_DATA", raising=False)
    if how == "environment":
        monkeypatch.setenv("SK_PETRIDISH_DATA", str(small_mnist))
    if how == "scikit-learn":
        monkeypatch.setenv("SCIKIT_LEARN_DATA", str(small_mnist))
    mnist = load_mnist(small_mnist if how == "argument" else None)
    assert mnist.data.shape == (8, 784)
    assert mnist.data.dtype == np.uint8
    assert mnist.target.tolist() == [0, 1, 2, 3, 4, 0, 1, 2]


def test_damaged_files_are_refused(small_mnist):
    images = small_mnist / "mnist" / "train-labels-idx1-ubyte"
    content = images.read_bytes()
    for damaged, message in (
        (content[:-1], "truncated or damaged"),
        (b"\x00\x00\x0d" + content[3:], "not an IDX file"),
        (b"", "not an IDX file"),
    ):
        images.write_bytes(damaged)
        with pytest.raises(ValueError, match=message):
            load_mnist(small_mnist)


def test_without_files_it_is_downloaded_from_openml(tmp_path, monkeypatch):
    asked = []

    def fetch(name, *, version, as_frame, parser, data_home):
        asked.append((name, parser, data_home))
        return _mnist.Bunch(data=np.zeros((2, 784)), target=np.array(["3", "7"]))

    monkeypatch.setattr(_mnist, "fetch_openml", fetch)
    mnist = load_mnist(tmp_path)
    # The default parser needs pandas, which is not among the dependencies.
    assert asked == [("mnist_784", "liac-arff", tmp_path)]
    assert mnist.target.tolist() == [3, 7]


def test_the_real_mnist(data_home):
    mnist = load_mnist(data_home)
    assert mnist.data.shape == (70_000, 784)
    assert np.bincount(mnist.target[:60_000]).tolist()[:3] == [5923, 6742, 5958]
    assert mnist.data[:60_000].mean() == pytest.approx(33.318, abs=1e-3)


def test_one_missing_file_is_as_good_as_none(small_mnist, tmp_path, monkeypatch):
    partial = tmp_path / "partial"
    shutil.copytree(small_mnist / "mnist", partial / "mnist")
    (partial / "mnist" / "t10k-labels-idx1-ubyte").unlink()
    monkeypatch.setenv("SK_PETRIDISH_DATA", str(partial))
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(small_mnist))
    assert len(load_mnist().data) == 8


# Texts


@pytest.fixture
def small_treebank(tmp_path):
    folder = tmp_path / "ptb"
    folder.mkdir()
    (folder / "ptb.train.txt").write_text(" the cat sat \n the dog <unk> \n\n")
    with lzma.open(folder / "ptb.valid.txt.xz", "wt") as file:
        file.write(" the cat ran \n")
    (folder / "ptb.test.txt").write_text(" dog\n")
    return tmp_path


@pytest.mark.parametrize("how", ["argument", "environment", "scikit-learn"])
def test_the_treebank_is_read_plain_or_compressed(small_treebank, monkeypatch, how):
    monkeypatch.delenv("SK_PETRIDISH_DATA", raising=False)
    if how == "environment":
        monkeypatch.setenv("SK_PETRIDISH_DATA", str(small_treebank))
    if how == "scikit-learn":
        monkeypatch.setenv("SCIKIT_LEARN_DATA", str(small_treebank))
    text = load_penn_treebank(small_treebank if how == "argument" else None)
    assert text.vocabulary == ["<eos>", "the", "cat", "sat", "dog", "<unk>"]
    assert words_of(text, "train") == "the cat sat <eos> the dog <unk> <eos> <eos>".split()
    assert words_of(text, "valid") == "the cat <unk> <eos>".split()
    assert words_of(text, "test") == "dog <eos>".split()


def words_of(text, part):
    return [text.vocabulary[place] for place in text[part]]


def test_a_missing_treebank_says_where_to_get_it(small_treebank):
    (small_treebank / "ptb" / "ptb.test.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"catalog\.ldc\.upenn\.edu.*SK_PETRIDISH_DATA"):
        load_penn_treebank(small_treebank)


def test_any_text_is_split_by_lines(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("\n".join(f"line number{n} größer" for n in range(50)), encoding="utf-8")
    text = load_text(path, valid_fraction=0.1, test_fraction=0.2)
    assert [len(text[part]) for part in ("train", "valid", "test")] == [35 * 4, 5 * 4, 10 * 4]
    assert text.vocabulary[:3] == ["line", "größer", "<eos>"]
    assert words_of(text, "test")[:4] == ["line", "<unk>", "größer", "<eos>"]
    for fractions in ({"valid_fraction": 0}, {"valid_fraction": 0.5, "test_fraction": 0.5}):
        with pytest.raises(ValueError, match="valid_fraction"):
            load_text(path, **fractions)
    path.write_text("one line")
    with pytest.raises(ValueError, match="too few for three parts"):
        load_text(path)


@given(st.lists(st.integers(0, 9), min_size=1), st.integers(2, 14))
def test_a_limited_vocabulary_keeps_the_most_frequent_words(stream, n_words):
    # The end of a line and the unknown word are the seventh and the last.
    vocabulary = [*"abcdef", "<eos>", *"gh", "<unk>"]
    stream = np.array(stream)
    text = Bunch(train=stream, valid=stream, test=stream, vocabulary=vocabulary, DESCR="")
    fewer = limit_vocabulary(text, n_words)
    assert len(fewer.vocabulary) == min(n_words, 10)
    assert {"<eos>", "<unk>"} <= set(fewer.vocabulary)
    assert fewer.vocabulary[:-2] == [word for word in vocabulary if word in fewer.vocabulary][:-2]
    before, after = words_of(text, "train"), words_of(fewer, "train")
    kept = set(fewer.vocabulary)
    assert after == [word if word in kept else "<unk>" for word in before]
