"""A word-level language model around a recurrent motif (section 4.2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sk_petridish.blueprints import Blueprint, BlueprintModule, Masks

# Both published models start embedding and cell so; the readout's bias starts at zero.
_INIT_RANGE = 0.04

State = dict[int, Tensor]


class Dropouts(NamedTuple):
    """Shares of values that dropout sets to zero while training.

    Parameters
    ----------
    words : float
        Of the vocabulary: a word left out is left out wherever it stands in the window.
    embedded : float
        Of the embedded words.
    inputs : float
        Of what the cell's products with the input read.
    hidden : float
        Of what its other products read.
    outputs : float
        Of what the readout reads.
    """

    words: float
    embedded: float
    inputs: float
    hidden: float
    outputs: float


class Outputs(NamedTuple):
    """What a language model computes of a window.

    Parameters
    ----------
    logits : Tensor of shape (n_columns, n_time_steps, n_words)
        Scores of the next word.
    hidden : Tensor of shape (n_columns, n_time_steps, n_hidden)
        What the cell gives.
    dropped : Tensor of shape (n_columns, n_time_steps, n_hidden)
        The same after dropout, as the readout reads it.
    state : dict of int to Tensor of shape (n_columns, n_hidden)
        The cell's states after the window.
    """

    logits: Tensor
    hidden: Tensor
    dropped: Tensor
    state: State


class WordModel(nn.Module):
    """Embedding, cell, and a readout that shares its weights with the embedding.

    Parameters
    ----------
    blueprint : Blueprint
        A recurrent network whose last node is a linear readout.
    n_words : int
        Size of the vocabulary.
    n_hidden : int
        Width of the embedding and of the cell.
    dropouts : Dropouts
        Dropout while training.
    generator : torch.Generator
        Where initial weights come from.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        n_words: int,
        n_hidden: int,
        dropouts: Dropouts,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        readout = blueprint.nodes[-1]
        if not blueprint.is_recurrent or readout.operation != "linear":
            raise ValueError(
                "A language model needs a recurrent blueprint that ends in a linear readout."
            )
        # What is built starts otherwise; the global generator is left alone.
        unused = torch.Generator()
        self.network: BlueprintModule = blueprint.build(
            n_hidden, n_hidden, n_words, generator=unused
        )
        self.dropouts = dropouts
        last = len(blueprint.nodes) - 1
        self._embedding, bias = f"{last}_weight", f"{last}_bias"
        for name, weight in self.network.weights.items():
            if name == bias:
                nn.init.zeros_(weight)
            else:
                nn.init.uniform_(weight, -_INIT_RANGE, _INIT_RANGE, generator=generator)

    def forward(
        self, words: Tensor, state: State | None, generator: torch.Generator | None = None
    ) -> Outputs:
        """Read a window.

        Parameters
        ----------
        words : Tensor of shape (n_columns, n_time_steps), int64
            Words that follow each other along a row.
        state : dict of int to Tensor of shape (n_columns, n_hidden) or None
            The cell's states before. ``None`` is zero.
        generator : torch.Generator, default=None
            Where dropout comes from, a generator of the CPU; ``None`` is no dropout. Each mask
            stays as it is throughout the window.

        Returns
        -------
        Outputs
            Scores of the next words, and what a training loss needs besides.
        """
        weight = self.network.weights[self._embedding]
        n_columns, n_hidden = len(words), len(weight)

        def mask(share: float, *shape: int) -> Tensor:
            # Drawn on the CPU: the same on every device, as is the generator's state.
            kept = torch.rand(shape, generator=generator) >= share
            return kept.to(weight.device, weight.dtype) / (1 - share)

        # (n_words, n_hidden), as embeddings are; the readout multiplies with (n_hidden, n_words).
        embedded, masks = F.embedding(words, weight.t()), None
        if generator is not None:
            shares = self.dropouts
            if shares.words:
                embedded = embedded * mask(shares.words, weight.shape[1])[words][..., None]
            if shares.embedded:
                embedded = embedded * mask(shares.embedded, n_columns, 1, n_hidden)
            if shares.inputs or shares.hidden:
                masks = Masks(
                    mask(shares.inputs, n_columns, n_hidden),
                    mask(shares.hidden, n_columns, n_hidden),
                )
        (hidden,), state = self.network.unroll(embedded, state, masks)
        dropped = hidden
        if generator is not None and self.dropouts.outputs:
            dropped = hidden * mask(self.dropouts.outputs, n_columns, 1, n_hidden)
        return Outputs(self.network.read_out(dropped), hidden, dropped, state)
