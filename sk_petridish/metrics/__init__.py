"""How well predicted losses order motifs: functions, and scorers for scikit-learn."""

from ._outer_mse import outer_mse
from ._prediction import has_spread, predict_with_spread
from ._ranking import kendall_tau_score, spearman_score
from ._scorers import kendall_tau_scorer, precision_at_k_scorer, regret_scorer, spearman_scorer
from ._selection import precision_at_k_score, regret_score

__all__ = [
    "has_spread",
    "kendall_tau_score",
    "kendall_tau_scorer",
    "outer_mse",
    "precision_at_k_score",
    "precision_at_k_scorer",
    "predict_with_spread",
    "regret_score",
    "regret_scorer",
    "spearman_score",
    "spearman_scorer",
]
