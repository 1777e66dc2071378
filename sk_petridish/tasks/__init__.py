"""Tasks: where a dish's first synthetic data and labels come from."""

from ._base import LabelKind, Task
from ._gaussian import GaussianTask
from ._teacher import TeacherTask

__all__ = ["GaussianTask", "LabelKind", "Task", "TeacherTask"]
