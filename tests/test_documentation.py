"""The documentation: it builds without a warning, needs no network, and says what is true."""

import contextlib
import functools
import html.parser
import http.server
import importlib
import importlib.util
import io
import os
import pkgutil
import re
import shutil
import subprocess
import sys
import textwrap
import threading
import tomllib
import urllib.parse
from pathlib import Path

import pytest

import sk_petridish

ROOT = Path(__file__).parents[1]
NEEDED = (
    "sphinx",
    "numpydoc",
    "sphinx_gallery",
    "pydata_sphinx_theme",
    "sphinx_design",
    "sphinx_copybutton",
    "myst_parser",
    "matplotlib",
    "pandas",
)
SOURCES = sorted((ROOT / "docs").glob("*.rst")) + sorted((ROOT / "docs").glob("*/*.rst"))
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # no network
    "--virtual-time-budget=10000",
)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def documentation(tmp_path_factory):
    """Build the site for all workers; gives the folder."""
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: pip install -e '.[docs]'")
    from filelock import FileLock  # comes with torch

    shared = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    folder = shared / "documentation"
    with FileLock(shared / "documentation.lock"):
        if not (folder / "log.txt").exists():
            _build(folder)
    return folder


def _build(folder):
    """Build from a copy, so that nothing is written into the repository."""
    source = folder / "source"
    generated = shutil.ignore_patterns("_build", "auto_examples", "generated", "backreferences")
    shutil.copytree(ROOT / "docs", source / "docs", ignore=generated)
    shutil.copytree(
        ROOT / "examples", source / "examples", ignore=shutil.ignore_patterns("figures")
    )
    (source / "benchmarks").symlink_to(ROOT / "benchmarks")
    for path in ROOT.glob("*.md"):
        shutil.copy(path, source)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-D", "plot_gallery=0"]
    done = subprocess.run(
        [*command, "-b", "html", "-d", folder / "doctrees", source / "docs", folder / "html"],
        capture_output=True,
        text=True,
    )
    (folder / "log.txt").write_text(done.stdout + done.stderr)


@pytest.fixture(scope="session")
def site(documentation):
    """Return the folder of the pages."""
    if not (documentation / "html" / "index.html").exists():
        pytest.fail((documentation / "log.txt").read_text()[-3000:])
    return documentation / "html"


class _Page(html.parser.HTMLParser):
    """Links, anchors and resources of a page, and references that lead nowhere."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors, self.resources, self.unresolved = [], set(), [], []
        self._depth_of_link, self._code = 0, None
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if "id" in values:
            self.anchors.add(values["id"])
        if tag == "a":
            self._depth_of_link += 1
            self.links.append(values.get("href") or "")
        if tag in ("script", "img", "iframe", "source", "video", "embed"):
            self.resources.append(values.get("src") or "")
        if tag == "link" and values.get("rel") not in ("index", "search", "next", "prev"):
            self.resources.append(values.get("href") or "")
        if tag == "code" and "xref" in (values.get("class") or "") and not self._depth_of_link:
            self._code = ""

    def handle_endtag(self, tag):
        if tag == "a":
            self._depth_of_link -= 1
        if tag == "code" and self._code is not None:
            self.unresolved.append(self._code)
            self._code = None

    def handle_data(self, data):
        if self._code is not None:
            self._code += data


@pytest.fixture(scope="session")
def pages(site):
    """Read all pages."""
    return {path.relative_to(site).as_posix(): _Page(path) for path in site.rglob("*.html")}


def public_objects():
    """Names of what is public, by the object: a package may hand on what another has."""
    names = {}
    packages = [sk_petridish.__name__]
    found = pkgutil.walk_packages(sk_petridish.__path__, "sk_petridish.")
    packages += [info.name for info in found if info.ispkg]
    for package in packages:
        module = importlib.import_module(package)
        for name in getattr(module, "__all__", []):
            names.setdefault(id(getattr(module, name)), set()).add(f"{package}.{name}")
    return names.values()


def test_it_builds_without_a_warning(documentation):
    log = (documentation / "log.txt").read_text()
    assert "build succeeded." in log, log[-3000:]


def test_every_public_name_is_in_the_reference(site):
    from sphinx.util.inventory import InventoryFile

    with (site / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, place: place)
    documented = {name for kind, names in inventory.items() if "py:" in kind for name in names}
    missing = [sorted(names) for names in public_objects() if not names & documented]
    assert not missing, f"put these into docs/api/: {missing}"


def test_every_symbol_that_the_paper_became_exists(pages):
    paper = pages["paper.html"]
    assert not paper.unresolved
    assert sum("api/" in link for link in paper.links) > 50
    text = (ROOT / "docs" / "paper.rst").read_text()
    parts = [f"Section {part}" for part in ("1", "2", "3.1", "3.2", "3.3", "4.1", "4.2", "5")]
    parts += [f"A.{part}" for part in ("1", "2.1", "2.2", "2.3", "3.1", "3.2", "3.3")]
    parts += [f"Table {part}" for part in range(1, 5)] + [f"eq. {part}" for part in (1, 2, 3)]
    parts += ["Figure 1", "Figure 2a", "Figure 2b", "Figure 3", "Figure 4", "Figure 5"]
    assert not [part for part in [*parts, "Algorithm 1", "Footnote 1"] if part not in text]


def test_references_of_written_pages_lead_somewhere(pages):
    written = [path.relative_to(ROOT / "docs").with_suffix(".html") for path in SOURCES]
    names = [path.as_posix() for path in written if path.parent.name != "api"]  # types of Python's
    assert not {name: pages[name].unresolved for name in names if pages[name].unresolved}


def test_pages_need_nothing_from_elsewhere(site, pages):
    for name, page in pages.items():
        for address in page.resources:
            assert not address.startswith(("http:", "https:", "//")), (name, address)
    for style in site.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", text), style


def test_no_link_within_the_site_is_broken(site, pages):
    broken = []
    for name, page in pages.items():
        for link in page.links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            path = urllib.parse.unquote(parts.path)
            target = (site / name).parent / path if path else site / name
            target = Path(os.path.normpath(target))
            there = pages.get(target.relative_to(site).as_posix()) if target.exists() else None
            anchor = urllib.parse.unquote(parts.fragment)
            if not target.exists() or (anchor and there and anchor not in there.anchors):
                broken.append((name, link))
    assert not broken


def shown_code(path):
    """Return the blocks of a page that are run, and what each prints."""
    parts = re.split(r"^ *\.\. (testcode|testoutput)::\n", path.read_text(), flags=re.MULTILINE)
    blocks = []
    for kind, part in zip(parts[1::2], parts[2::2], strict=True):
        text = textwrap.dedent(re.match(r"(?: +.*\n|\n)*", part)[0]).strip("\n") + "\n"
        if kind == "testcode":
            blocks.append((text, ""))
        else:
            blocks[-1] = (blocks[-1][0], text)
    return blocks


RUN = [path for path in SOURCES if shown_code(path)]


@pytest.mark.parametrize("path", RUN, ids=lambda path: path.stem)
def test_what_pages_show_is_what_happens(path, quiet_optuna):
    names = {"__name__": path.stem}
    for code, expected in shown_code(path):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(path), "exec"), names)
        assert printed.getvalue().split() == expected.split(), code


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_code_that_is_only_shown_is_python_all_the_same(path):
    blocks = re.findall(r"\.\. code-block:: python\n\n((?: +.*\n|\n)+)", path.read_text())
    for block in blocks:
        compile(textwrap.dedent(block), str(path), "exec")


def test_commands_are_those_of_the_readme():
    readme = (ROOT / "README.md").read_text()
    shown = (ROOT / "docs" / "quick_start.rst").read_text()
    commands = re.findall(r"pip install .*", shown)
    assert len(commands) >= 3
    assert [command for command in commands if command not in readme] == []


def test_the_extras_bring_what_the_build_needs():
    with (ROOT / "pyproject.toml").open("rb") as file:
        extras = tomllib.load(file)["project"]["optional-dependencies"]
    lines = extras["docs"] + extras["examples"]
    named = {re.split(r"[<>=\[]", line)[0].replace("-", "_") for line in lines}
    assert set(NEEDED) <= named
    assert "sk-petridish[docs]" in extras["test"]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def browser(site, tmp_path):
    """Return a function that opens a page of the site in a browser."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    handler = functools.partial(_Quiet, directory=str(site))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def opened(page):
        address = f"http://127.0.0.1:{server.server_port}/{page}"
        done = subprocess.run(
            [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path}", "--dump-dom", address],
            capture_output=True,
            text=True,
            timeout=120,
        )
        said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        complaints = [line for line in said if re.search("Uncaught|Failed|Refused|ERR_", line)]
        return done.stdout, complaints

    with contextlib.ExitStack() as stack:
        stack.callback(thread.join)
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        yield opened


def test_a_browser_finds_the_estimator(browser):
    page, complaints = browser("search.html?q=PetriDishRegressor")
    found = re.findall(r'<a href="([^"]*)"[^>]*data-score', page)
    assert any("sk_petridish.PetriDishRegressor.html" in link for link in found), found[:5]
    assert not complaints


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("index.html", "Quick start"),
        ("how_it_works.html", "Outer loop, eq. 3"),
        ("api/generated/sk_petridish.PetriDishRegressor.html", "partial_fit"),
    ],
)
def test_a_browser_shows_pages(browser, page, says):
    shown, complaints = browser(page)
    assert says in shown
    assert 'data-theme="' in shown  # the theme's script has run
    assert not complaints
