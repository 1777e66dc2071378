"""Blueprints: networks described without their width, and what is built from them."""

from ._blueprint import CARRIED, INPUT, Blueprint, Node, Widths
from ._canonical import canonical
from ._module import BlueprintModule
from ._operations import Operation, get_operation, register_operation
from ._super_network import SuperNetwork

__all__ = [
    "CARRIED",
    "INPUT",
    "Blueprint",
    "BlueprintModule",
    "Node",
    "Operation",
    "SuperNetwork",
    "Widths",
    "canonical",
    "get_operation",
    "register_operation",
]
