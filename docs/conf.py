"""How Sphinx builds the documentation; everything it needs is on this machine."""

import ast
import functools
import importlib
import inspect
import os
import re
import sys
import warnings
from importlib.metadata import version as version_of
from pathlib import Path

# The kernels are tiny and their examples spread them over threads themselves.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from tqdm import tqdm

# Progress bars would fill the pages of the gallery.
tqdm.display = lambda self, *args, **kwargs: True

ROOT = Path(__file__).parents[1]

project = "sk-petridish"
author = "The sk-petridish developers"
copyright = author
release = version = version_of("sk-petridish")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx_design",
    "sphinx_copybutton",
    "myst_parser",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates", "auto_examples/*.ipynb"]
# The gallery's computation times say more about the machine than about the examples.
exclude_patterns += ["sg_execution_times.rst", "auto_examples/sg_execution_times.rst"]
default_role = "py:obj"
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's sections give the types
autodoc_member_order = "bysource"
numpydoc_show_class_members = False  # the class template shows them
numpydoc_use_plots = False
toc_object_entries_show_parents = "hide"
copybutton_exclude = ".linenos, .gp, .go"
copybutton_prompt_text = ">>> |\\.\\.\\. "
copybutton_prompt_is_regexp = True
doctest_test_doctest_blocks = ""  # those of the docstrings are pytest's
doctest_global_setup = """
import warnings
import optuna
import torch
torch.set_num_threads(1)
optuna.logging.set_verbosity(optuna.logging.WARNING)
"""

html_theme = "pydata_sphinx_theme"
html_title = "sk-petridish"
html_static_path = ["_static"]
html_css_files = ["sk_petridish.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "sk-petridish"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "show_nav_level": 1,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
}
# Pages that stand alone have nothing to show at their side.
html_sidebars = {
    page: []
    for page in ("index", "when_it_helps", "quick_start", "how_it_works", "paper", "changelog")
} | {"contributing": [], "security": [], "search": []}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/(plot|experiment)_",
    "backreferences_dir": "api/backreferences",
    "doc_module": ("sk_petridish",),
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "remove_config_comments": True,
}

# A gallery shows figures; what warns that it has no window to show them in is no news.
warnings.filterwarnings("ignore", message=".*Agg.*", category=UserWarning)


@functools.cache
def _documented_constants(module_name: str) -> dict[str, list[str]]:
    """Return the texts that follow the constants a public module has from its private ones."""
    module = importlib.import_module(module_name)
    texts: dict[str, list[str]] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        source = importlib.util.resolve_name("." * node.level + node.module, module_name)
        found = ModuleAnalyzer.for_module(source).find_attr_docs()
        for alias in node.names:
            texts[alias.name] = found.get(("", alias.name), [])
    return texts


def _describe_constant(app, what, name, thing, options, lines) -> None:
    """Document a constant by the text that follows it where it is made."""
    if what == "data":
        module_name, _, constant = name.rpartition(".")
        lines[:] = _documented_constants(module_name).get(constant, lines)


def _escape_shapes(app, what, name, thing, options, lines) -> None:
    """Keep shapes, as in (n_samples, *positions) and (n_iter_,), from being markup."""
    lines[:] = [
        line
        if "``" in line or ">>>" in line
        else re.sub(r"(?<=, )\*(?=\w)|_(?=,\))", r"\\\g<0>", line)
        for line in lines
    ]


def _skip_foreign(app, what, name, thing, skip, options) -> bool | None:
    """Leave out what classes inherit from other packages."""
    function = thing.fget if isinstance(thing, property) else inspect.unwrap(thing)
    function = getattr(function, "__func__", function)
    home = getattr(function, "__module__", None) or "sk_petridish"
    return None if home.startswith("sk_petridish") else True


def setup(app: Sphinx) -> None:
    """Connect what is above."""
    # Examples import nothing of this folder, but may run before the package is on the path.
    sys.path.insert(0, str(ROOT))
    app.connect("autodoc-process-docstring", _escape_shapes, priority=900)
    app.connect("autodoc-process-docstring", _describe_constant, priority=900)
    app.connect("autodoc-skip-member", _skip_foreign)
