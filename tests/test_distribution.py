"""What is packed: the package, all of it, and nothing else."""

import email
import shutil
import stat
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import sk_petridish

ROOT = Path(__file__).parents[1]
LEFT_BEHIND = (".*", "__pycache__", "build", "dist", "*.egg-info", "_build", "auto_examples")
BUILD = "import sys; from setuptools import build_meta as b; getattr(b, sys.argv[1])(sys.argv[2])"

pytest.importorskip("setuptools", "77", reason="the build needs setuptools >= 77")


def build(kind, source, folder):
    """Call setuptools as pip does, without an environment of its own."""
    subprocess.run(
        [sys.executable, "-c", BUILD, f"build_{kind}", folder], cwd=source, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    (built,) = folder.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Copy the repository: setuptools packs what earlier builds left, and leaves things, too."""
    copy = tmp_path_factory.mktemp("source") / "copy"
    shutil.copytree(ROOT, copy, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    return copy


@pytest.fixture(scope="module")
def sdist(source, tmp_path_factory):
    return build("sdist", source, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    with zipfile.ZipFile(build("wheel", source, tmp_path_factory.mktemp("wheel"))) as archive:
        yield archive


def package_files():
    """Return every file of the package's two folders, by its name where it is installed."""
    places = {"sk_petridish": ROOT / "sk_petridish", "sk_petridish/search": ROOT / "search"}
    return {
        f"{name}/{path.relative_to(folder).as_posix()}": path
        for name, folder in places.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def information(archive):
    """Split off the name of the folder that says what is installed."""
    (folder,) = {name.split("/")[0] for name in archive.namelist()} - {"sk_petridish"}
    assert folder == f"sk_petridish-{sk_petridish.__version__}.dist-info"
    return folder


def test_the_wheel_is_the_package_and_its_licence(wheel):
    folder = information(wheel)
    about = ("METADATA", "RECORD", "WHEEL", "top_level.txt", "licenses/LICENSE")
    expected = package_files()
    assert sorted(wheel.namelist()) == sorted([*expected, *(f"{folder}/{name}" for name in about)])
    assert {
        "sk_petridish/py.typed",
        "sk_petridish/datasets/data/sigmoid_slopes.csv",
        "sk_petridish/search/proposers/_base.py",
    } <= set(expected)
    for name, path in expected.items():
        assert wheel.read(name) == path.read_bytes(), name
    assert not [file for file in wheel.infolist() if stat.S_ISLNK(file.external_attr >> 16)]
    assert wheel.read(f"{folder}/top_level.txt").split() == [b"sk_petridish"]
    assert wheel.read(f"{folder}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


def test_a_wheel_of_the_source_distribution_is_that_of_the_tree(sdist, wheel, tmp_path):
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
        assert not [member.name for member in archive if member.issym() or member.islnk()]
    (unpacked,) = tmp_path.iterdir()
    names = {path.name for path in unpacked.iterdir()}
    assert names == {
        "CHANGELOG.md",
        "CITATION.cff",
        "LICENSE",
        "MANIFEST.in",
        "PKG-INFO",
        "README.md",
        "pyproject.toml",
        "search",
        "setup.cfg",
        "sk_petridish",
        "sk_petridish.egg-info",
    }
    (folder := tmp_path / "wheel").mkdir()
    with zipfile.ZipFile(build("wheel", unpacked, folder)) as again:
        assert sorted(again.namelist()) == sorted(wheel.namelist())
        changed = [name for name in again.namelist() if again.read(name) != wheel.read(name)]
    # The record lists files in the order in which they were found.
    assert [name for name in changed if not name.endswith("/RECORD")] == []


def test_the_metadata_say_what_the_project_says(wheel):
    metadata = email.message_from_bytes(wheel.read(f"{information(wheel)}/METADATA"))
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    assert metadata["Name"] == project["name"]
    assert metadata["Version"] == sk_petridish.__version__
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert metadata["Requires-Python"] == project["requires-python"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    text = metadata.get_payload(decode=True).decode()
    assert text.strip() == (ROOT / "README.md").read_text().strip()
    needed = [name for name in metadata.get_all("Requires-Dist") if "extra ==" not in name]
    assert needed == project["dependencies"]
