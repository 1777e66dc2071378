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
from rooms import PICTURE, ROOMS, draw

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


def imported_rooms(path):
    """Rooms of the package that a file imports from, in whatever way."""
    parts = path.relative_to(ROOT).parts[:-1]
    package = list(parts if parts[0] == "sk_petridish" else ("sk_petridish", *parts))
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = [*base, *(node.module.split(".") if node.module else [])]
            # "from sk_petridish import dish" names a room, too.
            inside = [alias.name for alias in node.names] if len(module) == 1 else [""]
            names = [".".join([*module, name]).rstrip(".") for name in inside]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] in ("sk_petridish", "search"):
                yield parts[1] if len(parts) > 1 else parts[0]


# The same for the rooms within search: modules of search that those of each may import.
CHILDREN_OF_SEARCH = {"proposers": {"_answers", "_optuna"}, "ground_truth": set()}


def imported_from_search(path):
    """Modules and packages of search that a file imports from, in whatever way."""
    folder = ("sk_petridish", *path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = folder[: len(folder) - node.level + 1] if node.level else ()
            module = [*base, *(node.module.split(".") if node.module else [])]
            # "from . import _base" names a module, too.
            names = [[*module, alias.name] for alias in node.names]
        else:
            continue
        for name in names:
            if name[:2] == ["sk_petridish", "search"]:
                yield name[2] if len(name) > 2 else ""


@pytest.mark.parametrize("child", CHILDREN_OF_SEARCH)
def test_the_children_of_search_know_neither_it_nor_each_other(child):
    files = list((ROOT / "search" / child).rglob("*.py"))
    assert files
    for path in files:
        assert set(imported_from_search(path)) <= CHILDREN_OF_SEARCH[child] | {child}, path


def test_every_folder_of_search_is_named():
    folders = [path.parent.name for path in (ROOT / "search").glob("*/__init__.py")]
    assert sorted(folders) == sorted(CHILDREN_OF_SEARCH)


def test_what_the_children_of_search_import_imports_no_more_of_it():
    for child, allowed in CHILDREN_OF_SEARCH.items():
        for module in allowed:
            imported = set(imported_from_search(ROOT / "search" / f"{module}.py"))
            assert imported <= allowed, (child, module)


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_only_downwards(room):
    files = list((ROOT / ("" if room == "search" else "sk_petridish") / room).rglob("*.py"))
    assert files
    for path in files:
        assert set(imported_rooms(path)) <= ROOMS[room] | {room, "_compat"}, path


def test_rooms_stand_above_what_they_import_from():
    below = list(ROOMS)
    for room, others in ROOMS.items():
        below.remove(room)
        assert others <= set(below), room


def test_every_folder_is_a_room_and_nothing_lies_beside():
    folders = [path.parent.name for path in (ROOT / "sk_petridish").glob("*/__init__.py")]
    assert sorted(folders) == sorted(ROOMS)
    assert [path.name for path in (ROOT / "sk_petridish").glob("*.py")] == ["__init__.py"]
    assert set(imported_rooms(ROOT / "sk_petridish" / "__init__.py")) == {"estimators"}


def test_the_picture_of_the_rooms_is_up_to_date():
    assert PICTURE.read_text() == draw(), "run python tests/rooms.py"


def test_importing_is_quiet_and_leaves_the_threads_of_torch_alone():
    script = "import torch; n = torch.get_num_threads(); import sk_petridish, sk_petridish.search; \
              assert torch.get_num_threads() == n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == done.stderr == ""
