"""Motifs that are torch modules of the user's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from optuna.distributions import BaseDistribution

from sk_petridish._compat._constraints import MappingOf
from sk_petridish._compat._sklearn import StrOptions
from sk_petridish._compat._validation import Constraints, validated
from sk_petridish.blueprints import Factory, ModuleBlueprint

from ._base import DataKind, Motifs, MotifSpace


class ModuleMotif(MotifSpace):
    """Motifs of any kind: a function makes each one's network.

    This is the way to try a family of motifs. It is slower than a space of blueprints,
    since networks are trained one at a time by PyTorch; and matrices of the networks start
    from a dish's initial weights, vectors as the module sets them.

    Parameters
    ----------
    factory : callable
        ``factory(row, n_inputs, n_hidden, n_outputs) -> torch.nn.Module``. The structure
        may differ from row to row. A module maps samples ``(n_samples, n_inputs)`` to
        outputs ``(n_samples, n_outputs)`` before any link function, with axes of time, or
        of height and width, between these where ``data_kind`` asks for them. It must be
        differentiable twice, and the same whenever it is called with the same row.
        To be used in other processes or pickled, the function stands in a module.
    distributions : dict of str to optuna.distributions.BaseDistribution
        The search space: one entry a column of ``X``, with numbers. Motifs are drawn from
        it, and repaired to it; any finite numbers can be evaluated.
    data_kind : {"vectors", "sequences", "images"}, default="vectors"
        What the networks read.

    See Also
    --------
    MotifSpace : What to inherit from for a family with a notation of its own.

    Examples
    --------
    How much of its input should a layer pass on as it is?

    >>> import torch
    >>> from optuna.distributions import FloatDistribution
    >>> from sk_petridish import PetriDishRegressor
    >>> from sk_petridish.motifs import ModuleMotif
    >>> class Skip(torch.nn.Module):
    ...     def __init__(self, share, n_inputs, n_hidden, n_outputs):
    ...         super().__init__()
    ...         self.share = share
    ...         self.first = torch.nn.Linear(n_inputs, n_hidden)
    ...         self.second = torch.nn.Linear(n_hidden, n_hidden)
    ...         self.readout = torch.nn.Linear(n_hidden, n_outputs)
    ...
    ...     def forward(self, x):
    ...         x = self.first(x)
    ...         x = self.share * x + (1 - self.share) * torch.tanh(self.second(x))
    ...         return self.readout(x)
    >>> space = ModuleMotif(
    ...     lambda row, *widths: Skip(row[0], *widths), {"share": FloatDistribution(0.0, 1.0)}
    ... )
    >>> X, y = [[0.0], [0.3], [0.6], [1.0]], [0.4, 0.2, 0.3, 0.5]
    >>> dish = PetriDishRegressor(
    ...     space, n_dishes=1, inner_steps=5, max_iter=2, max_outer_loss=4, random_state=0
    ... )
    >>> dish.fit(X, y).predict([[0.5]]).shape
    (1,)
    """

    _ranges: ClassVar[tuple[str, ...]] = ("distributions",)

    _parameter_constraints: ClassVar[Constraints] = {
        "factory": [callable],
        "distributions": [MappingOf(BaseDistribution)],
        "data_kind": [StrOptions({"vectors", "sequences", "images"})],
    }

    @validated
    def __init__(
        self,
        factory: Factory,
        distributions: Mapping[str, BaseDistribution],
        data_kind: DataKind = "vectors",
    ) -> None:
        self.factory = factory
        self.distributions = distributions
        self.data_kind = data_kind

    @property
    def row_description(self) -> str:
        """One sentence that says what a row of ``X`` is."""
        return f"A row of X is one motif: {', '.join(self.distributions)}."

    def _check(self, rows: Motifs) -> None:
        # What a row must be beyond finite numbers, the factory knows.
        pass

    def _blueprint(self, row: Motifs) -> ModuleBlueprint:
        return ModuleBlueprint(self.factory, tuple(row.tolist()))

    def _search_space(self) -> dict[str, BaseDistribution]:
        return dict(self.distributions)
