"""Blueprints: networks described without their width, and what is built from them."""

from ._blueprint import CARRIED, INPUT, Blueprint, Node, Widths
from ._builder import BlueprintBuilder
from ._canonical import canonical
from ._module import BlueprintModule, Masks
from ._module_network import (
    Factory,
    ModuleBlueprint,
    ModuleNetwork,
    Network,
    NetworkSpec,
    build_network,
)
from ._operations import Operation, get_operation, register_operation
from ._super_network import SuperNetwork, Trace

__all__ = [
    "CARRIED",
    "INPUT",
    "Blueprint",
    "BlueprintBuilder",
    "BlueprintModule",
    "Factory",
    "Masks",
    "ModuleBlueprint",
    "ModuleNetwork",
    "Network",
    "NetworkSpec",
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
