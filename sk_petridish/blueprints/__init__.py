"""Blueprints: networks described without their width, and what is built from them."""

from ._blueprint import Blueprint
from ._builder import BlueprintBuilder
from ._canonical import canonical
from ._chain import chain
from ._module import BlueprintModule, Masks
from ._module_network import (
    Factory,
    ModuleBlueprint,
    ModuleNetwork,
    Network,
    NetworkSpec,
    build_network,
)
from ._node import CARRIED, INPUT, Node, Width, Widths
from ._operations import (
    Operation,
    RunningStatistics,
    SampleShape,
    get_operation,
    register_operation,
    registered_operations,
    temporary_operations,
)
from ._shapes import DataKind, data_kind
from ._super_network import SuperNetwork, Trace

__all__ = [
    "CARRIED",
    "INPUT",
    "Blueprint",
    "BlueprintBuilder",
    "BlueprintModule",
    "DataKind",
    "Factory",
    "Masks",
    "ModuleBlueprint",
    "ModuleNetwork",
    "Network",
    "NetworkSpec",
    "Node",
    "Operation",
    "RunningStatistics",
    "SampleShape",
    "SuperNetwork",
    "Trace",
    "Width",
    "Widths",
    "build_network",
    "canonical",
    "chain",
    "data_kind",
    "get_operation",
    "register_operation",
    "registered_operations",
    "temporary_operations",
]
