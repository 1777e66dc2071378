"""Modules of the user's own in place of blueprints: motif-networks one at a time."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ._blueprint import Blueprint
from ._node import Widths
from ._operations import SampleShape
from ._super_network import SuperNetwork, Trace

Factory = Callable[[Any, int, int, int], nn.Module]
"""``factory(row, n_inputs, n_hidden, n_outputs)`` makes a motif's network."""


@dataclass(frozen=True)
class ModuleBlueprint:
    """What stands for a blueprint where a factory makes the network.

    Parameters
    ----------
    factory : callable
        ``factory(row, n_inputs, n_hidden, n_outputs) -> torch.nn.Module``.
    row : tuple of float
        The motif.

    Examples
    --------
    >>> from torch import nn
    >>> from sk_petridish.blueprints import ModuleBlueprint
    >>> blueprint = ModuleBlueprint(lambda row, n, h, m: nn.Linear(n, m), (1.0,))
    >>> blueprint.build(3, 2, 4)
    Linear(in_features=3, out_features=4, bias=True)
    """

    factory: Factory
    row: tuple[float, ...]

    def build(
        self,
        n_inputs: int,
        n_hidden: int,
        n_outputs: int,
        *,
        generator: torch.Generator | None = None,
    ) -> nn.Module:
        """Build the network at any width.

        Parameters
        ----------
        n_inputs, n_hidden, n_outputs : int
            Its widths.
        generator : torch.Generator, default=None
            Where initial weights come from. ``None`` is torch's global generator.

        Returns
        -------
        torch.nn.Module
            What the factory makes.

        Raises
        ------
        TypeError
            If that is no module.
        """
        if generator is None:
            return self._made(n_inputs, n_hidden, n_outputs)
        seed = int(torch.randint(2**31, (1,), generator=generator).item())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self._made(n_inputs, n_hidden, n_outputs)

    def _made(self, *widths: int) -> nn.Module:
        module = self.factory(list(self.row), *widths)
        if not isinstance(module, nn.Module):
            raise TypeError(f"The factory of motifs must return a torch module, got {module!r}.")
        return module


class ModuleNetwork:
    """Motif-networks made by a factory, computed one at a time.

    It takes the place of a :class:`SuperNetwork`. Matrices start from the dish's theta_init
    by name and shape, so that motif-networks share what they have in common; vectors, such
    as biases and the gains of normalisation, start as the module sets them.

    Parameters
    ----------
    blueprints : sequence of ModuleBlueprint
        One a motif-network.
    widths : Widths
        The widths of every motif-network.
    sample_shape : tuple of int, default=()
        Axes of a sample beside its features.
    dtype : torch.dtype, default=torch.float64
        Of the modules.
    device : torch.device or str, default="cpu"
        Where to compute.

    Attributes
    ----------
    n_motifs : int
        Number of motif-networks.
    output_shape : tuple of int
        Axes of an output beside its units, those of a sample.
    """

    def __init__(
        self,
        blueprints: Sequence[ModuleBlueprint],
        widths: Widths,
        sample_shape: SampleShape = (),
        *,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> None:
        self.n_motifs = len(blueprints)
        self.output_shape = tuple(sample_shape)
        self._widths = widths
        self._device = torch.device(device)
        self._modules = []
        for blueprint in blueprints:
            # Vectors have the same values in every dish and every process.
            module = blueprint.build(*widths, generator=torch.Generator().manual_seed(0))
            self._modules.append(module.to(dtype=dtype, device=device))
        self._parameters = [dict(module.named_parameters()) for module in self._modules]
        self._sizes = [
            sum(parameter.numel() for parameter in named.values()) for named in self._parameters
        ]

    @property
    def motif_of_weight(self) -> Tensor:
        """The motif of each weight, of shape (n_weights,)."""
        sizes = torch.tensor(self._sizes)
        return torch.arange(self.n_motifs).repeat_interleave(sizes).to(self._device)

    def initial_weights(self, draw: Callable[[int, str, tuple[int, ...], int], Tensor]) -> Tensor:
        """Lay out theta_init for every motif-network.

        Parameters
        ----------
        draw : callable
            ``draw(key, role, shape, fan_in) -> Tensor`` of shape ``(n_dishes, *shape)``.

        Returns
        -------
        Tensor of shape (n_dishes, n_weights)
            The weights of all motif-networks, flat, as :meth:`forward` takes them.

        Raises
        ------
        ValueError
            If no module has a matrix to train.
        """
        blocks, drawn = [], {}
        for named in self._parameters:
            for name, parameter in named.items():
                shape = tuple(parameter.shape)
                if len(shape) < 2:
                    blocks.append(parameter.detach().flatten()[None])
                    continue
                if (name, shape) not in drawn:
                    key = zlib.crc32(name.encode())
                    drawn[name, shape] = draw(key, "weight", shape, math.prod(shape[1:]))
                blocks.append(drawn[name, shape].flatten(1))
        if not drawn:
            raise ValueError("The factory's modules have no matrix to train.")
        n_dishes = len(next(iter(drawn.values())))
        return torch.cat([block.expand(n_dishes, -1) for block in blocks], dim=1)

    def forward(self, weights: Tensor, x: Tensor) -> Tensor:
        """Compute the outputs of every motif-network in every dish.

        Parameters
        ----------
        weights : Tensor of shape (n_dishes, n_weights)
            As laid out by :meth:`initial_weights`.
        x : Tensor of shape (n_dishes, n_motifs, n_samples[, ...], n_inputs)
            Synthetic inputs.

        Returns
        -------
        Tensor of shape (n_dishes, n_motifs, n_samples[, ...], n_outputs)
            Outputs.

        Raises
        ------
        ValueError
            If a module gives outputs of another shape.
        """
        own = torch.split(weights, self._sizes, dim=1)
        outputs = [
            torch.stack(
                [self._outputs(motif, row, x[dish, motif]) for dish, row in enumerate(theta)]
            )
            for motif, theta in enumerate(own)
        ]
        return torch.stack(outputs, dim=1)

    def _outputs(self, motif: int, theta: Tensor, x: Tensor) -> Tensor:
        """Compute one motif-network in one dish."""
        named, start = {}, 0
        for name, parameter in self._parameters[motif].items():
            named[name] = theta[start : start + parameter.numel()].view_as(parameter)
            start += parameter.numel()
        module = self._modules[motif]
        # Copies, since a module may change its buffers while it computes.
        buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
        outputs: Tensor = functional_call(module, named | buffers, (x,))
        wanted = (len(x), *self.output_shape, self._widths.n_outputs)
        if tuple(outputs.shape) != wanted:
            raise ValueError(
                f"For samples of shape {tuple(x.shape)} a motif's module must give outputs of "
                f"shape {wanted}, got {tuple(outputs.shape)}."
            )
        return outputs

    def trace(self, weights: Tensor, x: Tensor) -> Trace:
        """Compute the outputs; of what is computed on the way, a module tells nothing.

        Parameters
        ----------
        weights : Tensor of shape (n_dishes, n_weights)
            As laid out by :meth:`initial_weights`.
        x : Tensor of shape (n_dishes, n_motifs, n_samples[, ...], n_inputs)
            Synthetic inputs.

        Returns
        -------
        Trace
            Outputs, also in place of hidden values and features.
        """
        outputs = self.forward(weights, x)
        features = list(outputs.split(1, dim=1))
        return Trace(outputs, [(tuple(range(self.n_motifs)), outputs)], features)


NetworkSpec = Blueprint | ModuleBlueprint
"""The network of a motif: a graph, or a factory's row.

A union, not a protocol: both have ``build``, but networks of a third kind with that method
alone could not be trained in a dish.
"""

Network = SuperNetwork | ModuleNetwork
"""The networks of several motifs, which do not interact."""


def build_network(
    blueprints: Sequence[NetworkSpec],
    widths: Widths,
    sample_shape: SampleShape = (),
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str = "cpu",
) -> Network:
    """Build the motif-networks of one motif space.

    Parameters
    ----------
    blueprints : sequence of Blueprint, or sequence of ModuleBlueprint
        One a motif-network.
    widths : Widths
        The widths of every motif-network.
    sample_shape : tuple of int, default=()
        Axes of a sample beside its features.
    dtype : torch.dtype, default=torch.float64
        Precision.
    device : torch.device or str, default="cpu"
        Where to compute.

    Returns
    -------
    SuperNetwork or ModuleNetwork
        The networks.

    Raises
    ------
    TypeError
        If there are both kinds.
    ValueError
        If a blueprint has no meaning on such samples.
    """
    modules = [one for one in blueprints if isinstance(one, ModuleBlueprint)]
    graphs = [one for one in blueprints if isinstance(one, Blueprint)]
    if modules and graphs:
        raise TypeError("Motifs are either blueprints or modules, not some of both.")
    if modules:
        return ModuleNetwork(modules, widths, sample_shape, dtype=dtype, device=device)
    return SuperNetwork(graphs, widths, sample_shape, dtype=dtype, device=device)
