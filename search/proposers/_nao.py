"""Neural Architecture Optimization: gradient steps in a learned continuous space."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import RegressorMixin

from sk_petridish._compat._constraints import integers, reals
from sk_petridish._compat._torch import one_torch_thread
from sk_petridish._compat._validation import Constraints, validated
from sk_petridish.motifs import Motifs, MotifSpace

from ._base import History, Proposer
from ._nao_network import Embedding, EncoderPredictorDecoder, NAONet
from ._token_codec import TokenCodec

# Steps along the gradient, each of which decodes all seeds, at most.
_MOST_STEPS = 10_000


class NAO(Proposer):
    """Propose what decoders make of good motifs moved to where losses should be smaller.

    Neural Architecture Optimization [1]_ learns an encoder of architectures as sequences, a
    predictor of the loss from the encoding and a decoder of it. The encodings of the best
    motifs are moved against the gradient of the predicted loss, by steps that grow until
    there are enough new motifs among what is decoded from them.

    Parameters
    ----------
    motif_space : MotifSpace
        What a row means.
    n_seeds : int, default=100
        The best motifs known, whose encodings are moved.
    max_iter : int, default=1000
        Passes over the history in training, which begins anew with every question.
    batch_size : int, default=50
        Motifs in a training step.
    lr : float, default=0.001
        Adam's learning rate.
    l2 : float, default=1e-4
        L2 penalty on all weights.
    trade_off : float, default=0.8
        Weight of the predictor's error against the decoder's.
    n_hidden : int, default=96
        Width of encoder, decoder and embeddings.
    n_predictor : int, default=200
        Width of the predictor's three hidden layers.
    dropout : float, default=0.1
        Of the encoder's outputs and in the predictor.
    step : float, default=1.0
        How much the step along the gradient grows each time.
    max_step : float, default=30.0
        The largest step; after it, random motifs make up the number.
    n_bins : int, default=16
        Intervals into which a column of more numbers is cut.

    Notes
    -----
    Widths, rates and weights are those of the authors' search for recurrent cells, the
    attention that of their variant with weight sharing. Unlike theirs, decoding allows
    legal tokens only, and motifs are new as networks, not as strings. Targets are losses
    scaled to between 0 and 1, where the worst tenth counts as equally bad: otherwise one
    network that diverged makes all others look alike.

    References
    ----------
    .. [1] R. Luo, F. Tian, T. Qin, E. Chen and T.-Y. Liu, "Neural Architecture
       Optimization", 2018, https://arxiv.org/abs/1808.07233

    Examples
    --------
    >>> from sk_petridish.motifs import RecurrentCell
    >>> from sk_petridish.search.proposers import NAO, History
    >>> space = RecurrentCell(n_nodes=3)
    >>> X = space.sample(12, random_state=0)
    >>> NAO(space, max_iter=20).ask(2, History.of(X, X.sum(axis=1)), random_state=0).shape
    (2, 6)
    """

    _parameter_constraints: ClassVar[Constraints] = {
        **Proposer._parameter_constraints,
        "n_seeds": [integers(1)],
        "max_iter": [integers(1)],
        "batch_size": [integers(1)],
        "lr": [reals(0)],
        "l2": [reals(0, closed="left")],
        "trade_off": [reals(0, 1, closed="both")],
        "n_hidden": [integers(1)],
        "n_predictor": [integers(1)],
        "dropout": [reals(0, 1, closed="left")],
        "step": [reals(0)],
        "max_step": [reals(0)],
        "n_bins": [integers(1)],
    }

    @validated
    def __init__(
        self,
        motif_space: MotifSpace,
        *,
        n_seeds: int = 100,
        max_iter: int = 1000,
        batch_size: int = 50,
        lr: float = 1e-3,
        l2: float = 1e-4,
        trade_off: float = 0.8,
        n_hidden: int = 96,
        n_predictor: int = 200,
        dropout: float = 0.1,
        step: float = 1.0,
        max_step: float = 30.0,
        n_bins: int = 16,
    ) -> None:
        super().__init__(motif_space)
        self.n_seeds = n_seeds
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.lr = lr
        self.l2 = l2
        self.trade_off = trade_off
        self.n_hidden = n_hidden
        self.n_predictor = n_predictor
        self.dropout = dropout
        self.step = step
        self.max_step = max_step
        self.n_bins = n_bins

    def _check_together(self) -> None:
        if not 1 <= self.max_step / self.step <= _MOST_STEPS:
            raise ValueError(
                f"max_step={self.max_step} must be at least step={self.step}, and at most "
                f"{_MOST_STEPS} times as large."
            )

    def propose(
        self,
        n: int,
        history: History,
        generator: np.random.RandomState,
        surrogate: RegressorMixin | None,
    ) -> Iterator[Motifs]:
        # The surrogate is not asked.
        known = history.known()
        if not len(known.y):
            return
        codec = TokenCodec(self.motif_space.search_space(), self.n_bins)
        network = self._learn(codec, known, generator.randint(2**31 - 1))
        seeds = torch.from_numpy(codec.tokens(history.best(self.n_seeds)))
        with one_torch_thread():
            steps, gradient = slope_at(network, seeds)
        for size in np.arange(self.step, self.max_step + self.step / 2, self.step):
            with one_torch_thread(), torch.no_grad():
                tokens = network.decode(Embedding.of(steps - float(size) * gradient)).numpy()
            yield self.motif_space.repair(codec.rows(tokens, generator))

    def _learn(self, codec: TokenCodec, known: History, seed: int) -> EncoderPredictorDecoder:
        net = NAONet(
            EncoderPredictorDecoder,
            module__penalties=codec.penalties(),
            module__n_hidden=self.n_hidden,
            module__n_predictor=self.n_predictor,
            module__dropout=self.dropout,
            trade_off=self.trade_off,
            optimizer=torch.optim.Adam,
            optimizer__weight_decay=self.l2,
            lr=self.lr,
            max_epochs=self.max_iter,
            batch_size=self.batch_size,
            iterator_train__shuffle=True,
            train_split=None,
            verbose=0,
        )
        # Weights, batches and dropout come from torch's global generator; it is the user's.
        with one_torch_thread(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net.fit(codec.tokens(known.X), scaled(known.y))
        network: EncoderPredictorDecoder = net.module_.eval()
        return network


def scaled(y: NDArray[np.float64]) -> NDArray[np.float32]:
    """Scale losses to between 0, the best, and 1, the worst tenth."""
    low, high = y.min(), np.quantile(y, 0.9)
    if high <= low:
        return np.full(len(y), 0.5, dtype=np.float32)
    targets: NDArray[np.float64] = np.clip((y - low) / (high - low), 0, 1)
    return targets.astype(np.float32)


def slope_at(
    network: EncoderPredictorDecoder, tokens: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Encode motifs, and differentiate the predicted loss there.

    Parameters
    ----------
    network : EncoderPredictorDecoder
        In evaluation mode.
    tokens : Tensor of shape (n_motifs, n_positions), int64
        The motifs.

    Returns
    -------
    steps, gradient : Tensor of shape (n_motifs, n_positions, n_hidden)
        The encoder's outputs, and the gradient with respect to them.
    """
    with torch.no_grad():
        start = network.encode(tokens).steps
    steps = start.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network.predict(Embedding.at(steps)).sum(), steps)
    return start, gradient
