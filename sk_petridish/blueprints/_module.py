"""A blueprint as an ordinary torch module, at any width."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ._blueprint import CARRIED, Blueprint, Widths
from ._operations import get_operation


class BlueprintModule(nn.Module):
    """The network that a blueprint describes, at given widths.

    Weights start as those of :class:`torch.nn.Linear`, uniform within
    1/sqrt(fan-in).

    Parameters
    ----------
    blueprint : Blueprint
        The graph.
    widths : Widths
        Its widths.
    generator : torch.Generator, default=None
        Where initial weights come from. ``None`` is torch's global generator.

    Attributes
    ----------
    weights : torch.nn.ParameterDict
        Trainable weights under ``"<position>_<role>"``.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        widths: Widths,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.blueprint = blueprint
        self.weights = nn.ParameterDict()
        units = [getattr(widths, unit) for unit in blueprint.units()]
        self._carried = {
            position: (node.inputs[0], units[position])
            for position, node in enumerate(blueprint.nodes)
            if node.operation == CARRIED
        }
        for position, node in enumerate(blueprint.nodes[1:], start=1):
            if position in self._carried:
                continue
            operation, n_in = get_operation(node.operation), units[node.inputs[0]]
            shapes = operation.weight_shapes(n_in, units[position])
            for role, shape in shapes.items():
                bound = (operation.patch * n_in) ** -0.5
                start = torch.empty(shape).uniform_(-bound, bound, generator=generator)
                self.weights[f"{position}_{role}"] = nn.Parameter(start)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the outputs.

        Parameters
        ----------
        x : Tensor of shape (n_samples[, ...], n_inputs)
            A batch of samples; of sequences, (n_samples, n_time_steps, n_inputs), as a
            recurrent blueprint needs them; or of images, (n_samples, height, width,
            n_inputs), as convolutions need them.

        Returns
        -------
        Tensor of shape (n_samples[, ...], n_outputs)
            Outputs before any link function (logits, for a classifier), at every time
            step of a sequence and every position of an image. A mean over the positions
            is what global average pooling before the readout would give.

        Raises
        ------
        ValueError
            If the blueprint is recurrent and the samples are no sequences, or it needs
            images and they are none.
        """
        if self.blueprint.needs_images and x.ndim != 4:
            raise ValueError(
                "A convolutional network needs images, (n_samples, height, width, n_inputs), "
                f"got the shape {tuple(x.shape)}."
            )
        if not self._carried:
            return self._step(x, {})[-1]
        if x.ndim != 3:
            raise ValueError(
                "A recurrent network needs sequences, (n_samples, n_time_steps, n_inputs), "
                f"got the shape {tuple(x.shape)}."
            )
        carried = {position: x.new_zeros(len(x), n) for position, (_, n) in self._carried.items()}
        outputs = []
        for at_one_time in x.unbind(1):
            values = self._step(at_one_time, carried)
            outputs.append(values[-1])
            carried = {position: values[source] for position, (source, _) in self._carried.items()}
        return torch.stack(outputs, dim=1)

    def _step(self, x: Tensor, carried: dict[int, Tensor]) -> list[Tensor]:
        """Compute every node, at one time step."""
        values = [x]
        for position, node in enumerate(self.blueprint.nodes[1:], start=1):
            if position in carried:
                values.append(carried[position])
                continue
            operation = get_operation(node.operation)
            inputs = [values[source] for source in node.inputs]
            weights = [self.weights[f"{position}_{role}"] for role in operation.roles]
            values.append(operation.function(*inputs, *node.parameters, *weights))
        return values
