"""The evaluations of a search, and its result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import optuna
from numpy.typing import NDArray

from sk_petridish.motifs import Motifs, MotifSpace

if TYPE_CHECKING:
    import pandas as pd


class Evaluation(NamedTuple):
    """One evaluation of a search.

    Parameters
    ----------
    iteration : int
        The iteration that chose the motif: 0 for the initial motifs, -1 for results that
        were known before.
    motif : ndarray of shape (n_features,)
        The motif.
    loss : float
        Its ground-truth loss; NaN where the evaluation failed, was pruned or has not ended.
    predicted : float
        The loss that the surrogate predicted; NaN where it was not asked.
    state : str
        ``"complete"``, ``"pruned"``, ``"fail"``, or ``"running"`` or ``"waiting"`` where the
        search was interrupted.
    """

    iteration: int
    motif: Motifs
    loss: float
    predicted: float
    state: str


def best_of(evaluations: Sequence[Evaluation]) -> Evaluation | None:
    """Return the evaluation of smallest loss, the first of them; None where none has a loss."""
    complete = [one for one in evaluations if math.isfinite(one.loss)]
    return min(complete, key=lambda one: one.loss, default=None)


@dataclass(frozen=True, eq=False)
class SearchResult:
    """Result of a :class:`PetriDishSearch`.

    Parameters
    ----------
    motif_space : MotifSpace
        What was searched.
    history : list of Evaluation
        Iteration, motif, loss, predicted loss and state of every evaluation, in order.
    study : optuna.study.Study
        The study behind it.
    test_loss : float or None
        What the search's ``test_ground_truth`` gave for the best motif.
    interrupted : bool
        Whether the user, or the time allowed, has ended the search early.

    Examples
    --------
    >>> from sk_petridish.motifs import ConvCell
    >>> from sk_petridish.search import PetriDishSearch
    >>> space = ConvCell()
    >>> search = PetriDishSearch(
    ...     space, lambda row: row.sum(), n_init=5, n_iterations=0, random_state=0
    ... )
    >>> result = search.run()
    >>> result.best_loss
    6.0
    >>> space.decode([result.best_motif])[0]
    '|none~0|+|avg_pool_3x3~0|none~1|+|skip_connect~0|skip_connect~1|none~2|'
    """

    motif_space: MotifSpace
    history: list[Evaluation]
    study: optuna.Study
    test_loss: float | None
    interrupted: bool

    @property
    def best(self) -> Evaluation | None:
        """The evaluation of smallest loss, the first of them; None where there is none."""
        return best_of(self.history)

    @property
    def best_motif(self) -> Motifs | None:
        """The motif of smallest loss, of shape (n_features,)."""
        return None if self.best is None else self.best.motif

    @property
    def best_loss(self) -> float:
        """Its loss; NaN where no evaluation gave one."""
        return float("nan") if self.best is None else self.best.loss

    def best_so_far(self) -> NDArray[np.float64]:
        """Return the smallest loss up to each evaluation.

        Returns
        -------
        ndarray of shape (n_evaluations,)
            Losses that never increase; NaN before the first.
        """
        losses = np.array([one.loss for one in self.history], dtype=np.float64)
        return np.fmin.accumulate(losses)

    def to_frame(self) -> pd.DataFrame:
        """Return the history as a table.

        Returns
        -------
        pandas.DataFrame
            An evaluation a row: its iteration, loss, predicted loss and state, and the
            motif's parameters by their names.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_frame needs pandas, which is not installed.") from error
        names = list(self.motif_space.search_space())
        records: list[dict[str, Any]] = [
            {
                "iteration": one.iteration,
                "loss": one.loss,
                "predicted": one.predicted,
                "state": one.state,
                **dict(zip(names, one.motif, strict=True)),
            }
            for one in self.history
        ]
        return pd.DataFrame.from_records(records)
