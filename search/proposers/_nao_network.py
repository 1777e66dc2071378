"""NAO's encoder, predictor and decoder of architectures."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from skorch import NeuralNet
from skorch.callbacks import GradientNormClipping
from torch import Tensor, nn


class Embedding(NamedTuple):
    """Where architectures are in the encoder's continuous space.

    Parameters
    ----------
    steps : Tensor of shape (n_motifs, n_positions, n_hidden)
        The encoder's outputs, each of norm 1.
    whole : Tensor of shape (n_motifs, n_hidden)
        The direction of their mean.
    """

    steps: Tensor
    whole: Tensor

    @classmethod
    def of(cls, outputs: Tensor) -> Embedding:
        """Normalise the outputs of every step, and their mean."""
        return cls.at(F.normalize(outputs, dim=-1))

    @classmethod
    def at(cls, steps: Tensor) -> Embedding:
        """Normalise the mean of steps that have norm 1."""
        return cls(steps, F.normalize(steps.mean(dim=1), dim=-1))


class EncoderPredictorDecoder(nn.Module):
    """An autoencoder of token sequences whose embedding predicts the loss.

    Parameters
    ----------
    penalties : Tensor of shape (n_positions, n_tokens)
        0, and minus infinity where a token is illegal.
    n_hidden : int
        Width of both LSTMs and of the tokens' embeddings.
    n_predictor : int
        Width of the predictor's three hidden layers.
    dropout : float
        Share of the encoder's outputs and the predictor's units that is dropped in
        training.
    """

    forbidden: Tensor

    def __init__(self, penalties: Tensor, n_hidden: int, n_predictor: int, dropout: float) -> None:
        super().__init__()
        _, n_tokens = penalties.shape
        self.start = n_tokens  # the token before the first
        self.register_buffer("forbidden", penalties)
        self.read = nn.Embedding(n_tokens, n_hidden)
        self.encoder = nn.LSTM(n_hidden, n_hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        widths = (n_hidden, n_predictor, n_predictor, n_predictor)
        layers: list[nn.Module] = []
        for n_in, n_out in pairwise(widths):
            layers += [nn.Linear(n_in, n_out), nn.ReLU(), nn.Dropout(dropout)]
        self.predictor = nn.Sequential(*layers, nn.Linear(n_predictor, 1), nn.Sigmoid())
        self.write = nn.Embedding(n_tokens + 1, n_hidden)
        self.decoder = nn.LSTM(n_hidden, n_hidden, batch_first=True)
        self.combine = nn.Linear(2 * n_hidden, n_hidden)
        self.readout = nn.Linear(n_hidden, n_tokens)

    def encode(self, tokens: Tensor) -> Embedding:
        """Embed sequences of shape (n_motifs, n_positions)."""
        outputs, _ = self.encoder(self.read(tokens))
        return Embedding.of(self.dropout(outputs))

    def predict(self, embedding: Embedding) -> Tensor:
        """Predict losses between 0, the best, and 1; shape (n_motifs,)."""
        predicted: Tensor = self.predictor(embedding.whole).squeeze(-1)
        return predicted

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Predict losses, and the logits of every token given those before it."""
        embedding = self.encode(tokens)
        start = torch.full_like(tokens[:, :1], self.start)
        before = torch.cat([start, tokens[:, :-1]], dim=1)
        state = embedding.whole[None].contiguous()
        outputs, _ = self.decoder(self.write(before), (state, state))
        return self.predict(embedding), self._logits(outputs, embedding.steps) + self.forbidden

    def decode(self, embedding: Embedding) -> Tensor:
        """Write the likeliest legal token at each position, one after the other."""
        token = torch.full_like(embedding.whole[:, 0], self.start, dtype=torch.int64)
        state = (embedding.whole[None].contiguous(), embedding.whole[None].contiguous())
        written = []
        for forbidden in self.forbidden:
            output, state = self.decoder(self.write(token[:, None]), state)
            token = (self._logits(output, embedding.steps)[:, 0] + forbidden).argmax(dim=-1)
            written.append(token)
        return torch.stack(written, dim=1)

    def _logits(self, outputs: Tensor, steps: Tensor) -> Tensor:
        """Attend to the encoder's steps (dot products), and score tokens."""
        weights = (outputs @ steps.transpose(1, 2)).softmax(dim=-1)
        both = torch.cat([weights @ steps, outputs], dim=-1)
        logits: Tensor = self.readout(torch.tanh(self.combine(both)))
        return logits


class NAONet(NeuralNet):
    """Trains the three together.

    Parameters
    ----------
    trade_off : float
        Weight of the prediction's squared error; that of the reconstruction's
        cross-entropy is 1 minus it.
    **kwargs : dict
        Of skorch's ``NeuralNet``.
    """

    def __init__(self, *args: Any, trade_off: float, **kwargs: Any) -> None:
        super().__init__(*args, criterion=nn.MSELoss, **kwargs)
        self.trade_off = trade_off

    @property
    def _default_callbacks(self) -> list[tuple[str, Any]]:
        # Nothing is printed or scored.
        return [("clipping", GradientNormClipping(5.0))]

    def get_loss(self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False) -> Tensor:
        """Weigh the errors of predictor and decoder."""
        predicted, logits = y_pred
        reconstruction = F.cross_entropy(logits.flatten(0, 1), X.flatten())
        prediction = super().get_loss(predicted, y_true, X, training)
        loss: Tensor = self.trade_off * prediction + (1 - self.trade_off) * reconstruction
        return loss
