"""What a task is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from sk_petridish._compat._constraints import SequenceOf, integers
from sk_petridish._compat._sklearn import StrOptions
from sk_petridish._compat._validation import Constraints, check_fields
from sk_petridish.blueprints import DataKind, SampleShape, data_kind

LabelKind = Literal["binary", "class", "real"]
"""What an inner loss compares outputs with."""


@dataclass(frozen=True)
class SampleSpec:
    """The samples that a task is asked for.

    Parameters
    ----------
    n_samples : int
        How many.
    n_inputs, n_outputs : int
        Widths of the motif-network.
    labels : {"binary", "class", "real"}
        What the inner loss needs: zeros and ones, independent for every output; one-hot
        rows; or real numbers of about unit variance.
    sample_shape : tuple of int, default=()
        Axes of a sample beside its features: ``()`` of a vector, ``(n_time_steps,)`` of a
        sequence, or ``(height, width)`` of an image.
    output_shape : tuple of int, default=None
        The positions for which a network has outputs: fewer than those of a sample behind a
        reduction. ``None`` is ``sample_shape``.

    Raises
    ------
    ValueError
        If a number is not positive, there are more axes, or an output has more positions
        than a sample.

    Examples
    --------
    Images, of which a network with one reduction makes a quarter of the positions:

    >>> from sk_petridish.tasks import SampleSpec
    >>> spec = SampleSpec(20, 3, 10, "class", (8, 8), (4, 4))
    >>> spec.data_kind, spec.positions
    ('images', (4, 4))
    """

    _parameter_constraints: ClassVar[Constraints] = {
        "n_samples": [integers(1)],
        "n_inputs": [integers(1)],
        "n_outputs": [integers(1)],
        "labels": [StrOptions(set(get_args(LabelKind)))],
        "sample_shape": [SequenceOf(integers(1), min_length=0)],
        "output_shape": [SequenceOf(integers(1), min_length=0), None],
    }

    n_samples: int
    n_inputs: int
    n_outputs: int
    labels: LabelKind
    sample_shape: SampleShape = ()
    output_shape: SampleShape | None = None

    def __post_init__(self) -> None:
        """Refuse shapes that no samples have."""
        check_fields(self)
        data_kind(self.sample_shape)
        pairs = zip(self.positions, self.sample_shape, strict=False)
        if len(self.positions) not in (0, len(self.sample_shape)) or any(
            ours > theirs for ours, theirs in pairs
        ):
            raise ValueError(
                f"Outputs of the shape {self.positions} cannot be of samples of the shape "
                f"{self.sample_shape}."
            )

    @property
    def data_kind(self) -> DataKind:
        """Whether a sample is a vector, a sequence or an image."""
        return data_kind(self.sample_shape)

    @property
    def positions(self) -> SampleShape:
        """The positions that dense labels are for."""
        return self.sample_shape if self.output_shape is None else self.output_shape
