"""Shared fixtures: a small problem, real data where it is."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

# A test machine may be busy; what a test costs is not what it tests.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")
# Tiny tensors: a second thread only gets in the way, above all beside other workers.
torch.set_num_threads(1)


@pytest.fixture
def problem():
    """Eight slopes with a smooth loss, in no particular order."""
    slopes = np.array([1.3, 0.4, 0.9, 0.55, 1.45, 0.7, 1.1, 0.45])[:, None]
    return slopes, 0.02 + 0.004 * np.abs(np.log(slopes.ravel() / 0.23)) ** 1.5


@pytest.fixture
def data_home():
    """Give the folder with real data, or skip."""
    home = os.environ.get("SK_PETRIDISH_DATA")
    if not home or not (Path(home) / "mnist").is_dir():
        pytest.skip("SK_PETRIDISH_DATA does not name a folder with mnist/")
    return Path(home)
