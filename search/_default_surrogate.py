"""The surrogate of a search whose user gives none."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache

from sklearn.base import RegressorMixin

from sk_petridish.estimators import make_surrogate
from sk_petridish.motifs import MotifSpace


def default_surrogate(motif_space: MotifSpace, seed: int) -> RegressorMixin:
    """Return the recommended surrogate, with a cache for as long as the process lives.

    A search fits again and again, and asks for the same motifs; what dishes measure about
    them does not change.
    """
    return make_surrogate(motif_space, random_state=seed, memory=_scratch_folder())


@cache
def _scratch_folder() -> str:
    folder = tempfile.mkdtemp(prefix="sk_petridish_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
