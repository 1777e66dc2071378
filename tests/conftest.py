"""Shared fixtures: a small problem, real data where it is."""

import getpass
import os
import shutil
import signal
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


class PostgresqlServer:
    """A PostgreSQL server of our own, which can be stopped and started again."""

    def __init__(self, initdb, postgres, folder):
        self.folder, self.user, self.as_user = folder, getpass.getuser(), []
        if os.geteuid() == 0:  # the server refuses to be root
            if not shutil.which("runuser"):
                pytest.skip("PostgreSQL does not run as root, and there is no runuser")
            self.as_user = ["runuser", "-u", "nobody", "--"]
            shutil.chown(folder, "nobody")
        self.data = str(Path(folder, "data"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.postgres = postgres
        subprocess.run(
            [*self.as_user, initdb, "-D", self.data, "-A", "trust", "-U", self.user, "--no-sync"],
            check=True, capture_output=True, cwd=folder,
        )  # fmt: skip
        self.process = None
        self.start()

    @property
    def url(self):
        """Where SQLAlchemy finds it."""
        return f"postgresql+psycopg2://{self.user}@127.0.0.1:{self.port}"

    def start(self):
        """Start it; it answers a little later."""
        options = ["-D", self.data, "-h", "127.0.0.1", "-p", str(self.port), "-k", self.folder]
        self.process = subprocess.Popen(
            [*self.as_user, self.postgres, *options],
            cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def stop(self, by=signal.SIGINT):
        """End it at once, by SIGINT in order, by SIGKILL as a power cut would."""
        pid = int(Path(self.data, "postmaster.pid").read_text().split()[0])
        os.kill(pid, by)
        self.process.wait(60)

    def connect(self):
        """Return a connection, when it has started."""
        psycopg2 = pytest.importorskip("psycopg2")
        for _ in range(600):
            # Who comes too early after a power cut finds the memory of the old one taken.
            if self.process.poll() is not None:
                self.start()
            try:
                return psycopg2.connect(self.url.replace("+psycopg2", "") + "/postgres")
            except psycopg2.OperationalError:  # it is still starting
                time.sleep(0.1)
        raise TimeoutError("PostgreSQL does not start")


@pytest.fixture(scope="session")
def postgresql_server():
    """Start a PostgreSQL server of our own, or skip."""
    initdb, postgres = _postgresql_program("initdb"), _postgresql_program("postgres")
    if initdb is None or postgres is None:
        pytest.skip("PostgreSQL is not installed (initdb, postgres)")
    with tempfile.TemporaryDirectory(prefix="sk_petridish_postgresql_") as folder:
        server = PostgresqlServer(initdb, postgres, folder)
        try:
            yield server
        finally:
            server.process.terminate()
            server.process.wait(30)


@pytest.fixture
def postgresql(postgresql_server, request):
    """Return the URL of an empty database."""
    name = f"test_{abs(hash(request.node.name))}"
    connection = postgresql_server.connect()
    connection.autocommit = True
    connection.cursor().execute(f"create database {name}")
    connection.close()
    return f"{postgresql_server.url}/{name}"
