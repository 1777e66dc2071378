"""Tasks: where a dish's first synthetic data and labels come from."""

from ._base import Task
from ._gaussian import GaussianTask
from ._markov import MarkovTask
from ._memory import MemoryTask
from ._samples import SampleTask
from ._spec import LabelKind, SampleSpec
from ._teacher import TeacherTask

__all__ = [
    "GaussianTask",
    "LabelKind",
    "MarkovTask",
    "MemoryTask",
    "SampleSpec",
    "SampleTask",
    "Task",
    "TeacherTask",
]
