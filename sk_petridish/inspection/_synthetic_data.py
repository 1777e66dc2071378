"""A dish's synthetic data before and after learning."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sk_petridish._compat._constraints import ArrayOfNumbers, MappingOf, integers
from sk_petridish._compat._sklearn import StrOptions
from sk_petridish._compat._validation import validate_params
from sk_petridish.dish import draw_dish

from ._axes import import_pyplot
from ._dish import check_dish

Samples = dict[str, NDArray[np.float64]]


class SyntheticDataDisplay:
    """A dish's synthetic samples before and after learning, and what has changed.

    Make one with :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    before, after : dict of str to ndarray of shape (n_synthetic, n_columns)
        The same kinds of samples at both times, by name.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes of shape (n_kinds, 3)
        Before, after, and difference, a row a kind.
    figure_ : matplotlib Figure
        Their figure.
    images_ : ndarray of matplotlib artists of shape (n_kinds, 3)
        The images.

    See Also
    --------
    OuterLoopDisplay : How the outer loss fell.

    Notes
    -----
    A row of an image is a sample. Samples of sequences have their time steps side by side.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_petridish.inspection import SyntheticDataDisplay
    >>> before = {"inputs": np.zeros((4, 3))}
    >>> display = SyntheticDataDisplay.from_predictions(before, {"inputs": np.ones((4, 3))})
    >>> display.axes_.shape
    (1, 3)
    """

    def __init__(self, *, before: Samples, after: Samples) -> None:
        self.before = before
        self.after = after

    @classmethod
    @validate_params(dish=[integers(0)], data=[StrOptions({"train", "valid"})])
    def from_estimator(
        cls, estimator: Any, *, dish: int = 0, data: str = "train", **kwargs: Any
    ) -> SyntheticDataDisplay:
        """Draw the samples of one of a regressor's dishes.

        Parameters
        ----------
        estimator : PetriDishRegressor
            A fitted one.
        dish : int, default=0
            Which of its dishes.
        data : {"train", "valid"}, default="train"
            Whether to draw training or validation data.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        SyntheticDataDisplay
            The display.

        Raises
        ------
        TypeError
            If the estimator is none.
        ValueError
            If there is no such dish, or ``data`` is neither.
        """
        dishes = check_dish(cls, estimator).dishes_
        if dish >= len(dishes):
            raise ValueError(f"dish must be less than {len(dishes)}, their number, got {dish}.")
        after = dishes[dish]
        # Dishes are determined by their settings and their seed.
        before = draw_dish(after.settings, after.seed)
        names = {"inputs": f"x_{data}", "labels": f"y_{data}"}
        return cls.from_predictions(
            *(
                {kind: getattr(time, name) for kind, name in names.items()}
                for time in (before, after)
            ),
            **kwargs,
        )

    @classmethod
    @validate_params(before=[MappingOf(ArrayOfNumbers())], after=[MappingOf(ArrayOfNumbers())])
    def from_predictions(
        cls, before: dict[str, ArrayLike], after: dict[str, ArrayLike], **kwargs: Any
    ) -> SyntheticDataDisplay:
        """Draw samples.

        Parameters
        ----------
        before, after : dict of str to array-like of shape (n_synthetic, ...)
            The same kinds of samples at both times, by name.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        SyntheticDataDisplay
            The display.

        Raises
        ------
        ValueError
            If they are not the same kinds, of the same shape.
        """
        then, now = (
            {kind: np.asarray(values) for kind, values in samples.items()}
            for samples in (before, after)
        )
        if {k: v.shape for k, v in then.items()} != {k: v.shape for k, v in now.items()}:
            raise ValueError("before and after must hold the same kinds of samples.")
        flat = (
            {kind: values.reshape(len(values), -1) for kind, values in samples.items()}
            for samples in (then, now)
        )
        return cls(before=next(flat), after=next(flat)).plot(**kwargs)

    def plot(self, **kwargs: Any) -> SyntheticDataDisplay:
        """Draw.

        Parameters
        ----------
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.imshow`.

        Returns
        -------
        SyntheticDataDisplay
            The display.
        """
        plt = import_pyplot(type(self))
        shape = (len(self.before), 3)
        heights = [len(values) for values in self.before.values()]
        size = (9, 1 + 0.12 * sum(heights))
        self.figure_, self.axes_ = plt.subplots(
            *shape, figsize=size, squeeze=False, layout="constrained", height_ratios=heights
        )
        self.images_ = np.empty(shape, dtype=object)
        for row, (kind, before) in enumerate(self.before.items()):
            after = self.after[kind]
            limit = max(np.abs(before).max(), np.abs(after).max())
            columns = {"before": before, "after": after, "difference": after - before}
            for column, (title, values) in enumerate(columns.items()):
                ends = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit, "aspect": "auto"}
                ax = self.axes_[row, column]
                self.images_[row, column] = ax.imshow(values, **(ends | kwargs))
                ax.set(xticks=[], yticks=[])
                if row == 0:
                    ax.set_title(title)
            self.axes_[row, 0].set_ylabel(kind)
            self.figure_.colorbar(self.images_[row, 0], ax=list(self.axes_[row]))
        return self
