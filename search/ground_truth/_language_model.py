"""Ground truth of experiment 4.2: a word-level language model."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import optuna
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch
from torch import Generator, Tensor

from sk_petridish._compat._constraints import integers, reals
from sk_petridish._compat._sklearn import StrOptions
from sk_petridish._compat._torch import one_torch_thread
from sk_petridish._compat._validation import Constraints, validated
from sk_petridish.blueprints import Blueprint, NetworkSpec
from sk_petridish.datasets import limit_vocabulary, load_penn_treebank
from sk_petridish.motifs import MotifSpace, RecurrentCell

from ._base import TrainedGroundTruth
from ._word_model import Dropouts, WordModel
from ._word_training import Trainer, TrainingSettings, in_columns

_SHARE = reals(0, 1, closed="left")
_PARTS = {"train", "valid", "test", "vocabulary"}


class LanguageModelGroundTruth(TrainedGroundTruth):
    r"""Loss of a language model around a recurrent motif, by default on Penn Treebank.

    The model has an embedding, the motif's own blueprint at full width, and a readout with
    the embedding's weights. It is trained on windows of random lengths, by SGD and, once that
    no longer helps, by its average (ASGD), with dropout on words, embedded words, the cell's
    inputs and states, and its output. The loss is that of the best epoch on the validation
    words. Defaults are NAO's settings [2]_, in which the paper's experiment 4.2 [1]_ trains
    cells; ``preset("laptop")`` gives a training of some twenty seconds on one core.

    Parameters
    ----------
    motif_space : MotifSpace, default=None
        A space whose blueprints are recurrent and end in a linear readout. ``None`` is
        ``RecurrentCell()``.
    corpus : :class:`~sklearn.utils.Bunch`, default=None
        The text, as :func:`~sk_petridish.datasets.load_text` gives it. ``None`` is
        :func:`~sk_petridish.datasets.load_penn_treebank`.
    n_words : int, default=None
        Size of the vocabulary, of the most frequent words
        (:func:`~sk_petridish.datasets.limit_vocabulary`). ``None`` keeps all.
    n_tokens : int, default=None
        How many of the training words are read. ``None`` reads all.
    n_hidden : int, default=850
        Width of the embedding and of the motif.
    n_epochs : int, default=600
        Passes over the training words.
    batch_size : int, default=64
        Columns that the training words are cut into, and read side by side.
    valid_batch_size, test_batch_size : int, default=10, 1
        Columns that the validation and the test words are cut into.
    n_time_steps : int, default=35
        Usual length of a window, through which gradients go back.
    lr : float, default=20.0
        SGD's learning rate.
    clip : float, default=0.25
        Largest norm of the gradient.
    l2 : float, default=8e-7
        Weight decay.
    word_dropout : float, default=0.0
        Share of the vocabulary left out of a window.
    embedding_dropout : float, default=0.2
        Share of the embedded words' features left out.
    input_dropout : float, default=0.75
        Share of the input's features left out of the motif's products with the input.
    hidden_dropout : float, default=0.25
        Share of features left out of the motif's other products.
    output_dropout : float, default=0.75
        Share of features left out of what the readout reads.
    activation_l2 : float, default=0.0
        Weight of the mean square of what the readout reads (AR).
    temporal_l2 : float, default=1e-3
        Weight of the mean square of the changes of the motif's output (TAR).
    patience : int, default=5
        The average begins after an epoch whose loss is worse than the best of those before,
        this many latest ones apart.
    split : {"valid", "test"}, default="valid"
        The words whose loss is returned. The best epoch is chosen on the validation words
        in any case.
    checkpoint_dir : str or path-like, default=None
        A folder in which every training keeps a checkpoint, so that one that was killed goes
        on after its last epoch, and one that has ended is not repeated: equal motifs, in
        any notation, are trained once, and also where other splits or devices are asked for.
        Other settings, of ``n_epochs`` too, are other trainings. ``None`` keeps none.
    random_state : int, default=0
        Determines initial weights, windows and dropout.
    device : str, default=None
        A torch device. ``None``: the GPU if there is one. On the CPU it takes one thread.
    data_home : str or path-like, default=None
        See :func:`~sk_petridish.datasets.load_penn_treebank`.

    Attributes
    ----------
    presets : dict of str to dict
        ``"paper"``: the published training, 27 million weights and 600 epochs, for a GPU.
        ``"laptop"``: 64 units and 100,000 words in a vocabulary of 2,000, for one core and some
        twenty seconds.

    See Also
    --------
    TrainedGroundTruth : What ground truths that train have in common.
    MLPGroundTruth : That of experiment 4.1.
    sk_petridish.motifs.RecurrentCell : The motifs of the paper's experiment.

    Notes
    -----
    Losses are natural logarithms of perplexities, means over the words that are predicted.

    Departures from the published training: the learning rate of a window of unusual length
    holds for that window (torch's ASGD applies it to the next one); the mean is over the
    predicted words (published code divides by one more a column); the last window of an epoch
    weighs as long as it is; where training diverges, which is looked for every 50 windows, it
    returns to the best weights, averaged or not as they were, and the epoch counts. A motif
    that never trains has the loss of its initial weights.

    A checkpoint holds the weights twice, four times once there is an average.

    References
    ----------
    .. [1] A. Rawal, J. Lehman, F. P. Such, J. Clune and K. O. Stanley, "Synthetic
       Petri Dish: A Novel Surrogate Model for Rapid Architecture Search", 2020,
       section 4.2 and appendix A.3.1.
    .. [2] R. Luo, F. Tian, T. Qin, E. Chen and T.-Y. Liu, "Neural Architecture
       Optimization", 2018, https://arxiv.org/abs/1808.07233
    .. [3] S. Merity, N. S. Keskar and R. Socher, "Regularizing and Optimizing LSTM Language
       Models", 2018, https://arxiv.org/abs/1708.02182

    Examples
    --------
    A text of one's own, a tiny model, and a cell that reads it:

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sk_petridish.datasets import load_text
    >>> from sk_petridish.motifs import PUBLISHED_CELLS, RecurrentCell
    >>> from sk_petridish.search.ground_truth import LanguageModelGroundTruth
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "counting.txt")
    ...     written = path.write_text("one two three four\n" * 100)
    ...     text = load_text(path)
    >>> space = RecurrentCell()
    >>> ground_truth = LanguageModelGroundTruth.preset(
    ...     "laptop", space, corpus=text, n_hidden=8, batch_size=4, valid_batch_size=2,
    ...     n_epochs=20,
    ... )
    >>> cell = space.encode([PUBLISHED_CELLS["DARTS_V1"] + (("relu", 0),) * 3])[0]
    >>> ground_truth(cell) < 0.5  # far better than by chance, log(5) = 1.6
    True
    """

    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "paper": {},
        "laptop": {
            "n_words": 2000,
            "n_tokens": 100_000,
            "n_hidden": 64,
            "n_epochs": 3,
            "batch_size": 20,
            "valid_batch_size": 64,
            "test_batch_size": 64,
            "n_time_steps": 10,
            "lr": 10.0,
            "embedding_dropout": 0.0,
            "input_dropout": 0.0,
            "hidden_dropout": 0.0,
            "output_dropout": 0.0,
            "patience": 0,
        },
    }

    _irrelevant: ClassVar[frozenset[str]] = frozenset({"corpus", "test_batch_size", "split"})
    _parameter_constraints: ClassVar[Constraints] = {
        **TrainedGroundTruth._parameter_constraints,
        "data_home": [str, os.PathLike, None],
        "corpus": [dict, None],
        "n_words": [integers(2), None],
        "n_tokens": [integers(2), None],
        "n_hidden": [integers(1)],
        "batch_size": [integers(1)],
        "valid_batch_size": [integers(1)],
        "test_batch_size": [integers(1)],
        "n_time_steps": [integers(1)],
        "lr": [reals(0)],
        "clip": [reals(0, closed="right")],
        "l2": [reals(0, closed="left")],
        "word_dropout": [_SHARE],
        "embedding_dropout": [_SHARE],
        "input_dropout": [_SHARE],
        "hidden_dropout": [_SHARE],
        "output_dropout": [_SHARE],
        "activation_l2": [reals(0, closed="left")],
        "temporal_l2": [reals(0, closed="left")],
        "patience": [integers(0)],
        "split": [StrOptions({"valid", "test"})],
        "random_state": [integers(0, 2**63 - 1)],
    }

    @validated
    def __init__(
        self,
        motif_space: MotifSpace | None = None,
        *,
        corpus: Bunch | None = None,
        n_words: int | None = None,
        n_tokens: int | None = None,
        n_hidden: int = 850,
        n_epochs: int = 600,
        batch_size: int = 64,
        valid_batch_size: int = 10,
        test_batch_size: int = 1,
        n_time_steps: int = 35,
        lr: float = 20.0,
        clip: float = 0.25,
        l2: float = 8e-7,
        word_dropout: float = 0.0,
        embedding_dropout: float = 0.2,
        input_dropout: float = 0.75,
        hidden_dropout: float = 0.25,
        output_dropout: float = 0.75,
        activation_l2: float = 0.0,
        temporal_l2: float = 1e-3,
        patience: int = 5,
        split: Literal["valid", "test"] = "valid",
        checkpoint_dir: str | os.PathLike[str] | None = None,
        random_state: int = 0,
        device: str | None = None,
        data_home: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(
            motif_space, n_epochs=n_epochs, checkpoint_dir=checkpoint_dir, device=device
        )
        self.corpus = corpus
        self.n_words = n_words
        self.n_tokens = n_tokens
        self.n_hidden = n_hidden
        self.batch_size = batch_size
        self.valid_batch_size = valid_batch_size
        self.test_batch_size = test_batch_size
        self.n_time_steps = n_time_steps
        self.lr = lr
        self.clip = clip
        self.l2 = l2
        self.word_dropout = word_dropout
        self.embedding_dropout = embedding_dropout
        self.input_dropout = input_dropout
        self.hidden_dropout = hidden_dropout
        self.output_dropout = output_dropout
        self.activation_l2 = activation_l2
        self.temporal_l2 = temporal_l2
        self.patience = patience
        self.split = split
        self.random_state = random_state
        self.data_home = data_home

    def __call__(self, row: ArrayLike, trial: optuna.trial.BaseTrial | None = None) -> float:
        """Train the motif's language model and return its loss.

        Parameters
        ----------
        row : array-like of shape (n_features,)
            One motif.
        trial : optuna.trial.BaseTrial, default=None
            A trial that is told the validation loss after every epoch and may be pruned.

        Returns
        -------
        float
            Nats a word, of the weights that did best on the validation words.

        Raises
        ------
        ValueError
            If a parameter cannot be, the row is no motif, its blueprint is not recurrent, or
            a text is too short for its columns.
        FileNotFoundError
            If the Penn Treebank is nowhere.
        optuna.TrialPruned
            If the trial's pruner ends the evaluation early.

        Warns
        -----
        RuntimeWarning
            If a checkpoint is damaged, or cannot be written.
        """
        with one_torch_thread():
            return super().__call__(row, trial)

    def _space(self) -> MotifSpace:
        return RecurrentCell() if self.motif_space is None else self.motif_space

    def _check_together(self) -> None:
        """Refuse what is no text, and no device."""
        super()._check_together()
        if missing := _PARTS.difference(_PARTS if self.corpus is None else self.corpus):
            raise ValueError(
                f"corpus must be a text as load_text returns it; this one lacks {sorted(missing)}."
            )

    def _data(self) -> _Text:
        text = load_penn_treebank(self.data_home) if self.corpus is None else self.corpus
        text = text if self.n_words is None else limit_vocabulary(text, self.n_words)
        return _Text(
            text["train"][: self.n_tokens], text["valid"], text["test"], len(text["vocabulary"])
        )

    def _start(self, blueprint: NetworkSpec, data: _Text) -> _WordTraining:
        """Build a motif's model."""
        if not isinstance(blueprint, Blueprint):
            raise ValueError(
                f"{type(self._space()).__name__} gives no blueprints, and a language model needs "
                "the motif without the readout. Write a ground truth of your own for it."
            )
        generator = Generator().manual_seed(self.random_state)
        dropouts = Dropouts(
            words=self.word_dropout,
            embedded=self.embedding_dropout,
            inputs=self.input_dropout,
            hidden=self.hidden_dropout,
            outputs=self.output_dropout,
        )
        model = WordModel(blueprint, data.n_words, self.n_hidden, dropouts, generator)
        settings = TrainingSettings(
            lr=self.lr,
            l2=self.l2,
            clip=self.clip,
            n_time_steps=self.n_time_steps,
            activation_l2=self.activation_l2,
            temporal_l2=self.temporal_l2,
            patience=self.patience,
        )
        return _WordTraining(
            Trainer(model.to(self._device), settings, generator),
            in_columns(data.train, self.batch_size).to(self._device),
            in_columns(data.valid, self.valid_batch_size).to(self._device),
            self.n_epochs,
        )

    def _loss(self, training: _WordTraining, data: _Text) -> float:
        trainer = training.trainer
        if self.split == "valid":
            return trainer.best_loss
        trainer.go_back_to_best()
        return trainer.evaluate(in_columns(data.test, self.test_batch_size).to(self._device))


class _Text(NamedTuple):
    """The words that are read, and how many there are to choose from."""

    train: NDArray[np.int64]
    valid: NDArray[np.int64]
    test: NDArray[np.int64]
    n_words: int


@dataclass
class _WordTraining:
    """The training of a language model on its words."""

    trainer: Trainer
    train: Tensor
    valid: Tensor
    n_epochs: int

    @property
    def losses(self) -> list[float]:
        """The validation loss after each epoch."""
        return self.trainer.valid_losses

    def epoch(self) -> None:
        """Train for an epoch."""
        self.trainer.epoch(self.train, self.valid)

    def state_dict(self) -> dict[str, Any]:
        """Return all that training goes on from."""
        state = self.trainer.state_dict()
        if len(self.losses) == self.n_epochs:
            # Nothing goes on from there.
            state["weights"] = state["best"]
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.trainer.load_state_dict(state)
