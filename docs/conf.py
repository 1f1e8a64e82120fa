"""How Sphinx turns the sources that `assemble.py` put together into the site."""

import logging
import sys
from importlib import import_module
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.insert(
    0, str(HERE.parent)
)  # the package beside these documents, not another that is installed

import docstrings  # noqa: E402
import reference  # noqa: E402

import aiops_wb  # noqa: E402

project = "aiops_wb"
version = release = aiops_wb.__version__
copyright = "2026, the aiops_wb authors"

extensions = ["myst_nb", "sphinx.ext.autodoc"]
suppress_warnings = ["myst.header"]  # a notebook may start a second level where it needs one

# The page: everything it needs comes with it.
html_theme = "furo"
html_title = f"aiops_wb {release}"
html_static_path = [str(HERE / "_static")]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
html_show_search_summary = (
    False  # they are fetched, and a page opened from a folder may fetch nothing
)

# Notebooks: executed once, then taken from the cache until a cell or the package changes.
nb_execution_mode = "cache"
nb_execution_excludepatterns = ["nbs/reports/*"]  # they run on a published log
nb_execution_timeout = 1800
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_ipywidgets_js = {}  # nothing from another host: a widget shows its static form
nb_mime_priority_overrides = [("*", "application/vnd.jupyter.widget-view+json", None)]

logging.getLogger("traitlets").setLevel(logging.WARNING)

# Links in Markdown may name a heading as it would be named on a code host.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]

# The reference: signatures carry the types, docstrings are sentences.
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
add_module_names = False
toc_object_entries_show_parents = "hide"


def setup(app: Sphinx) -> None:
    "Docstrings are read as what they are: sentences with code in backticks."
    for name in reference.modules("workbench"):
        docstrings.complete(import_module(name))
    app.connect("autodoc-process-docstring", docstrings.process)
    app.connect("autodoc-process-signature", docstrings.sign)
    app.connect("autodoc-skip-member", docstrings.skip)
