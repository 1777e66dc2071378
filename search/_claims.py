"""Which motifs the trials of a study have, and how one gets another.

Two workers may choose a motif in the same instant, and no storage of Optuna's can compare and
set. Each therefore writes its claim first and reads the study after that. Of two claims of one
motif one is written later; its worker reads after both are written, and sees the earlier one.
So at least one of the two gives way, and never do both keep the motif. Both may give way:
then they claim the next candidate, and the motif may be suggested later.
"""

from __future__ import annotations

from collections.abc import Hashable

from optuna.study import Study
from optuna.trial import FrozenTrial

from sk_petridish._compat._optuna import all_trials
from sk_petridish.motifs import Motifs
from sk_petridish.motifs._identity import differences

from ._family import Family
from ._trial_attributes import Claim, claim_of, write_claim


class Claims:
    """Reads and claims the motifs of trials.

    Parameters
    ----------
    family : Family
        Decides which trials have a motif.
    """

    def __init__(self, family: Family) -> None:
        self.family = family
        # Keys need blueprints, and candidates are looked at for every suggestion.
        self._keys: dict[bytes, Hashable] = {}

    def claim(self, study: Study, trial: FrozenTrial, claim: Claim) -> list[FrozenTrial]:
        """Claim a motif for a trial, and return the trials of the study as they are then.

        The motif is the trial's unless another has it in what is returned.
        """
        write_claim(study, trial, self.family.prefix, claim)
        # To be read after writing, never before: see the top of the file.
        return all_trials(study)

    def of(self, trial: FrozenTrial) -> Claim | None:
        """Return what a trial has claimed last, None where it was for another family."""
        claim = claim_of(trial, self.family.prefix)
        if claim is None or any(differences(self.family.identity, claim.space)):
            return None
        return claim if len(claim.row) == len(self.family.distributions) else None

    def key(self, motif: Motifs) -> Hashable:
        """Return what is the same for all rows of one network."""
        text = motif.tobytes()
        if text not in self._keys:
            (self._keys[text],) = self.family.motif_space.canonical_keys(motif[None])
        return self._keys[text]
