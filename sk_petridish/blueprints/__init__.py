"""Blueprints: networks described without their width, and what is built from them."""

from ._blueprint import CARRIED, INPUT, Blueprint, Node, Widths
from ._canonical import canonical
from ._module import BlueprintModule, Masks
from ._module_network import (
    Described,
    Factory,
    ModuleBlueprint,
    ModuleNetwork,
    Network,
    build_network,
)
from ._operations import Operation, get_operation, register_operation
from ._super_network import SuperNetwork, Trace

__all__ = [
    "CARRIED",
    "INPUT",
    "Blueprint",
    "BlueprintModule",
    "Described",
    "Factory",
    "Masks",
    "ModuleBlueprint",
    "ModuleNetwork",
    "Network",
    "Node",
    "Operation",
    "SuperNetwork",
    "Trace",
    "Widths",
    "build_network",
    "canonical",
    "get_operation",
    "register_operation",
]
