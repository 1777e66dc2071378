"""The package as it is installed and imported."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sk_petridish
import sk_petridish.search

ROOT = Path(__file__).parents[1]


def public_modules():
    found = pkgutil.walk_packages(sk_petridish.__path__, "sk_petridish.")
    names = [info.name for info in found if info.ispkg]
    return ["sk_petridish", *names]


def test_the_package_list_is_that_of_the_folders():
    with (ROOT / "pyproject.toml").open("rb") as file:
        listed = tomllib.load(file)["tool"]["setuptools"]["packages"]
    folders = [path.parent for path in (ROOT / "sk_petridish").rglob("__init__.py")]
    folders += [path.parent for path in (ROOT / "search").rglob("__init__.py")]
    names = set()
    for folder in folders:
        parts = folder.relative_to(ROOT).parts
        names.add(".".join(parts if parts[0] == "sk_petridish" else ("sk_petridish", *parts)))
    assert sorted(listed) == sorted(names)


def test_search_is_one_package_behind_two_paths():
    link = ROOT / "sk_petridish" / "search"
    assert link.is_symlink()
    assert not Path(link.readlink()).is_absolute()
    assert Path(sk_petridish.search.__file__).resolve() == ROOT / "search" / "__init__.py"


@pytest.mark.parametrize("name", public_modules())
def test_what_a_module_promises_exists_and_is_documented(name):
    module = importlib.import_module(name)
    assert module.__doc__
    for public in getattr(module, "__all__", []):
        thing = getattr(module, public)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), f"{name}.{public} has no docstring"


# What the modules of each room may import from the package; the root may import all
# but search, which may import all.
LAYERS = {
    "blueprints": {"blueprints"},
    "tasks": {"tasks"},
    "motifs": {"motifs", "blueprints", "tasks"},
    "dish": {"dish", "blueprints", "tasks"},
    "dish/fused": {"dish", "blueprints"},
    "datasets": {"datasets"},
    "metrics": {"metrics", "dish"},
    "model_selection": {"model_selection", "metrics", "motifs", "_quiet_optuna", "_regressor"},
    "inspection": {"inspection", "metrics", "motifs", "dish", "_regressor", "_uncertainty"},
    "baselines": {"baselines", "_threads", "_scikit"},
    ".": {
        "blueprints",
        "tasks",
        "motifs",
        "dish",
        "_callbacks",
        "_learning",
        "_memory",
        "_make_surrogate",
        "_normal_scores",
        "_leaving_out",
        "_parameters",
        "_quiet_optuna",
        "_regressor",
        "_saving",
        "_scikit",
        "_targets",
        "_transformer",
        "_uncertainty",
        "_threads",
    },
}


def imported_rooms(path):
    """Rooms of the package that a file imports from, in whatever way."""
    package = ["sk_petridish", *path.relative_to(ROOT / "sk_petridish").parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            # "from . import dish" names a room, too.
            modules = [node.module] if node.module else [alias.name for alias in node.names]
            names = [".".join([*base, module]) for module in modules]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] in ("sk_petridish", "search"):
                yield parts[1] if len(parts) > 1 else parts[0]


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_only_downwards(layer):
    files = list((ROOT / "sk_petridish" / layer).glob("*.py"))
    assert files
    for path in files:
        assert set(imported_rooms(path)) <= LAYERS[layer], path


def test_importing_is_quiet_and_leaves_the_threads_of_torch_alone():
    script = "import torch; n = torch.get_num_threads(); import sk_petridish, sk_petridish.search; \
              assert torch.get_num_threads() == n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == done.stderr == ""
