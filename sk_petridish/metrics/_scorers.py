"""The metrics as scikit-learn's ``scoring=`` takes them; more is better in all of them."""

from sklearn.metrics import make_scorer

from ._ranking import kendall_tau_score, spearman_score
from ._selection import precision_at_k_score, regret_score

kendall_tau_scorer = make_scorer(kendall_tau_score)
"""Scorer of :func:`kendall_tau_score`."""
spearman_scorer = make_scorer(spearman_score)
"""Scorer of :func:`spearman_score`."""
regret_scorer = make_scorer(regret_score, greater_is_better=False)
"""Scorer of :func:`regret_score`, negated."""
precision_at_k_scorer = make_scorer(precision_at_k_score)
"""Scorer of :func:`precision_at_k_score`."""
