"""Measurements of banks that come from a file: whether they are what readers can read."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sk_petridish.motifs import MotifSpace

from ._fitted_checks import check_array, check_type
from ._parameters import shared_space
from ._transformer import PetriDishTransformer

# Features are logarithms of losses, or of what is seen before training.
_LARGEST = 1e4


def check_blocks(space: MotifSpace, banks: Any, blocks: Any, n_motifs: int) -> None:
    """Raise ValueError unless there is a block of measurements for each fitted bank.

    Parameters
    ----------
    space : MotifSpace
        That of the banks.
    banks : list of (str, PetriDishTransformer) tuples
        The banks.
    blocks : list of ndarray of shape (n_motifs, n_features_out)
        What each measured.
    n_motifs : int
        How many motifs there are.
    """
    check_type("banks_", banks, list)
    check_type("_blocks", blocks, list)
    if not banks or len(banks) != len(blocks):
        raise ValueError(f"There are {len(banks)} banks with {len(blocks)} blocks of measurements.")
    for (name, bank), block in zip(banks, blocks, strict=True):
        check_type("A name in banks_", name, str)
        check_type(f"banks_[{name!r}]", bank, PetriDishTransformer)
        check_is_fitted(bank, "dishes_")
        shared_space([space, bank.motif_space_], bank.n_features_in_, "banks_")
        if bank.learn:
            raise ValueError(f"banks_[{name!r}] learns.")
        shape = n_motifs, len(bank.get_feature_names_out())
        check_array(f"The measurements of banks_[{name!r}]", block, shape)
        if np.abs(block).max() > _LARGEST:
            raise ValueError(f"The measurements of banks_[{name!r}] are up to {block.max():g}.")
