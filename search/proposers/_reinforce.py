"""A controller that learns by policy gradients which motifs to propose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from torch import Tensor, nn

from sk_petridish._compat._constraints import LARGEST_SEED, integers, reals
from sk_petridish._compat._torch import one_torch_thread
from sk_petridish._compat._validation import Constraints, validated
from sk_petridish.estimators import NormalScores
from sk_petridish.motifs import Motifs, MotifSpace

from ._base import History, Proposer
from ._token_codec import TokenCodec

# How much more evenly choices are drawn each time that they were not enough.
_WARMING = 1.1


class ReinforceController(Proposer):
    """Propose what a recurrent policy draws that REINFORCE has trained.

    A controller in the manner of [1]_: a recurrent network writes a motif position by
    position, each choice given those before it, and is trained so that choices that led to
    small losses become likelier. It remembers nothing between questions: it replays the
    history, in order and with the same first weights, and so comes to the policy that it
    had.

    Parameters
    ----------
    motif_space : MotifSpace
        What a row means.
    n_hidden : int, default=35
        Width of the two layers of LSTM cells, and of the choices' embeddings.
    lr : float, default=0.01
        Adam's learning rate.
    batch_size : int, default=10
        Evaluations in an update of the policy.
    entropy_weight : float, default=0.1
        Weight of the policy's entropy, which is to stay large.
    baseline_decay : float, default=0.95
        Of the moving average of rewards that is subtracted from them.
    init_scale : float, default=0.08
        First weights are drawn uniformly from minus to plus this.
    n_bins : int, default=16
        Intervals into which a column of more numbers is cut.
    seed : int, default=0
        Determines the first weights.

    Notes
    -----
    The reward is the normal score of a loss among all known so far, negated: losses of
    architectures have long tails, and their scale is the user's. The entropy is that of
    the policy, not of the choices made, so that it has a gradient. Where the policy draws
    too few new motifs, it draws again at a temperature that rises, and so comes to those
    next to what it prefers, before random ones make up the number.

    References
    ----------
    .. [1] B. Zoph and Q. V. Le, "Neural Architecture Search with Reinforcement Learning",
       2017, https://arxiv.org/abs/1611.01578

    Examples
    --------
    >>> from sk_petridish.motifs import ConvCell
    >>> from sk_petridish.search.proposers import History, ReinforceController
    >>> space = ConvCell()
    >>> X = space.sample(100, random_state=0)
    >>> history = History.of(X, X.sum(axis=1))  # small numbers are good
    >>> proposed = ReinforceController(space).ask(20, history, random_state=0)
    >>> bool(proposed.mean() < X.mean())
    True
    """

    _parameter_constraints: ClassVar[Constraints] = {
        **Proposer._parameter_constraints,
        "n_hidden": [integers(1)],
        "lr": [reals(0)],
        "batch_size": [integers(1)],
        "entropy_weight": [reals(0, closed="left")],
        "baseline_decay": [reals(0, 1, closed="both")],
        "init_scale": [reals(0)],
        "n_bins": [integers(1)],
        "seed": [integers(0, LARGEST_SEED)],
    }

    @validated
    def __init__(
        self,
        motif_space: MotifSpace,
        *,
        n_hidden: int = 35,
        lr: float = 0.01,
        batch_size: int = 10,
        entropy_weight: float = 0.1,
        baseline_decay: float = 0.95,
        init_scale: float = 0.08,
        n_bins: int = 16,
        seed: int = 0,
    ) -> None:
        super().__init__(motif_space)
        self.n_hidden = n_hidden
        self.lr = lr
        self.batch_size = batch_size
        self.entropy_weight = entropy_weight
        self.baseline_decay = baseline_decay
        self.init_scale = init_scale
        self.n_bins = n_bins
        self.seed = seed

    def propose(
        self,
        n: int,
        history: History,
        generator: np.random.RandomState,
        surrogate: RegressorMixin | None,
    ) -> Iterator[Motifs]:
        # The surrogate is not asked.
        codec = TokenCodec(self.motif_space.search_space(), self.n_bins)
        dice = torch.Generator().manual_seed(int(generator.randint(2**31 - 1)))
        with one_torch_thread():
            policy = self._replay(codec, history.known())
        temperature = 1.0
        while True:
            with one_torch_thread():
                tokens = policy.sample(n, dice, temperature)
            temperature *= _WARMING  # asked again: what it prefers is known
            yield self.motif_space.repair(codec.rows(tokens, generator))

    def _replay(self, codec: TokenCodec, known: History) -> _Policy:
        """Learn from the history, an update for each batch of an iteration's motifs."""
        with torch.random.fork_rng(devices=[]):  # modules draw weights when they are made
            policy = _Policy(codec, self.n_hidden)
        first = torch.Generator().manual_seed(self.seed)
        for weight in policy.parameters():
            nn.init.uniform_(weight, -self.init_scale, self.init_scale, generator=first)
        if not len(known.y):
            return policy
        optimizer = torch.optim.Adam(policy.parameters(), lr=self.lr)
        tokens = torch.from_numpy(codec.tokens(known.X))
        rewards = torch.from_numpy(-NormalScores().fit_transform(known.y[:, None]).ravel())
        baseline = torch.zeros((), dtype=torch.float64)
        for batch in self._updates(known.iteration):
            likelihood, entropy = policy(tokens[batch])
            advantage = (rewards[batch] - baseline).float()
            gain = (advantage * likelihood).mean() + self.entropy_weight * entropy.mean()
            optimizer.zero_grad()
            (-gain).backward()
            optimizer.step()
            decay = self.baseline_decay
            baseline = decay * baseline + (1 - decay) * rewards[batch].mean()
        return policy

    def _updates(self, iteration: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Cut the history into batches, none of which reaches over two iterations."""
        for number in np.unique(iteration):
            ours = np.flatnonzero(iteration == number)
            yield from (
                ours[start : start + self.batch_size]
                for start in range(0, len(ours), self.batch_size)
            )


class _Policy(nn.Module):
    """Two layers of LSTM cells with a readout of its own at every position."""

    forbidden: Tensor

    def __init__(self, codec: TokenCodec, n_hidden: int) -> None:
        super().__init__()
        penalties = codec.penalties()
        self.start = codec.n_tokens  # the token before the first
        self.register_buffer("forbidden", penalties)
        self.embedding = nn.Embedding(codec.n_tokens + 1, n_hidden)
        self.lstm = nn.LSTM(n_hidden, n_hidden, num_layers=2, batch_first=True)
        self.weight = nn.Parameter(torch.empty(len(penalties), n_hidden, codec.n_tokens))
        self.bias = nn.Parameter(torch.empty(len(penalties), codec.n_tokens))

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Return the log-likelihood of motifs, and the entropy of the choices on their way.

        Both have the shape (n_motifs,).
        """
        start = torch.full_like(tokens[:, :1], self.start)
        outputs, _ = self.lstm(self.embedding(torch.cat([start, tokens[:, :-1]], dim=1)))
        scores = torch.einsum("npd,pdt->npt", outputs, self.weight) + self.bias
        logs = (scores + self.forbidden).log_softmax(dim=-1)
        chosen = logs.gather(-1, tokens[..., None]).squeeze(-1)
        # Of a forbidden token 0 * -inf, whose gradient would be NaN too.
        entropies = -(logs.exp() * logs.masked_fill(torch.isinf(self.forbidden), 0.0)).sum(dim=-1)
        return chosen.sum(dim=1), entropies.sum(dim=1)

    @torch.no_grad()
    def sample(
        self, n: int, generator: torch.Generator, temperature: float = 1.0
    ) -> NDArray[np.int64]:
        """Draw motifs as tokens, shape (n, n_positions)."""
        token = torch.full((n,), self.start)
        state, written = None, []
        for weight, bias, forbidden in zip(self.weight, self.bias, self.forbidden, strict=True):
            output, state = self.lstm(self.embedding(token[:, None]), state)
            scores = (output[:, 0] @ weight + bias) / temperature + forbidden
            chances = scores.softmax(dim=-1)
            token = torch.multinomial(chances, 1, generator=generator).squeeze(1)
            written.append(token)
        return torch.stack(written, dim=1).numpy()
