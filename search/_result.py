"""What a search has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from numpy.typing import NDArray

from sk_petridish.motifs import Motifs, MotifSpace

from ._batches import Evaluation, best_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class SearchResult:
    """What a :class:`PetriDishSearch` has found.

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
        """Give the smallest loss up to each evaluation.

        Returns
        -------
        ndarray of shape (n_evaluations,)
            Losses that never increase; NaN before the first.
        """
        losses = np.array([one.loss for one in self.history], dtype=np.float64)
        return np.fmin.accumulate(losses)

    def to_frame(self) -> pd.DataFrame:
        """Give the history as a table.

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
