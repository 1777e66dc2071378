"""Shared fixtures: a small problem, real data where it is."""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
from hypothesis import settings

# Optuna's conformance suite is a module of tests.
pytest.register_assert_rewrite("optuna.testing.pytest_samplers")
# A test machine may be busy; what a test costs is not what it tests.
settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")
# Tiny tensors: a second thread only gets in the way, above all beside other workers.
torch.set_num_threads(1)


@pytest.fixture
def problem():
    """Eight slopes with a smooth loss, in no particular order."""
    slopes = np.array([1.3, 0.4, 0.9, 0.55, 1.45, 0.7, 1.1, 0.45])[:, None]
    return slopes, 0.02 + 0.004 * np.abs(np.log(slopes.ravel() / 0.23)) ** 1.5


@pytest.fixture
def data_home():
    """Return the folder with real data, or skip."""
    home = os.environ.get("SK_PETRIDISH_DATA")
    if not home or not (Path(home) / "mnist").is_dir():
        pytest.skip("SK_PETRIDISH_DATA does not name a folder with mnist/")
    return Path(home)


@pytest.fixture
def quiet_optuna():
    """Let Optuna say warnings only."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(before)


def _postgresql_program(name):
    """Find a program of the server; Debian keeps them off the path."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(name, path=os.pathsep.join([os.environ["PATH"], *map(str, folders)]))


@pytest.fixture(scope="session")
def postgresql_server():
    """Start a PostgreSQL server of our own, or skip; gives its port."""
    initdb, postgres = _postgresql_program("initdb"), _postgresql_program("postgres")
    if initdb is None or postgres is None:
        pytest.skip("PostgreSQL is not installed (initdb, postgres)")
    user, as_user = getpass.getuser(), []
    with tempfile.TemporaryDirectory(prefix="sk_petridish_postgresql_") as folder:
        if os.geteuid() == 0:  # the server refuses to be root
            if not shutil.which("runuser"):
                pytest.skip("PostgreSQL does not run as root, and there is no runuser")
            as_user = ["runuser", "-u", "nobody", "--"]
            shutil.chown(folder, "nobody")
        data = str(Path(folder, "data"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        subprocess.run(
            [*as_user, initdb, "-D", data, "-A", "trust", "-U", user, "--no-sync"],
            check=True, capture_output=True, cwd=folder,
        )  # fmt: skip
        server = subprocess.Popen(
            [*as_user, postgres, "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder],
            cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield f"postgresql+psycopg2://{user}@127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture
def postgresql(postgresql_server, request):
    """Return the URL of an empty database."""
    psycopg2 = pytest.importorskip("psycopg2")
    name = f"test_{abs(hash(request.node.name))}"
    address = postgresql_server.replace("+psycopg2", "") + "/postgres"
    for attempt in range(100):
        try:
            connection = psycopg2.connect(address)
            break
        except psycopg2.OperationalError:  # it is still starting
            if attempt == 99:
                raise
            time.sleep(0.1)
    connection.autocommit = True
    connection.cursor().execute(f"create database {name}")
    connection.close()
    return f"{postgresql_server}/{name}"
