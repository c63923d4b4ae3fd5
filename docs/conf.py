"""Sphinx settings: Markdown in, HTML out, no network."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # where settings_tables lies

project = "lingome"
author = "The lingome developers"
extensions = [
    "myst_parser", "settings_tables", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon",
]
autosummary_generate = False
autodoc_typehints = "none"
napoleon_google_docstring = False
napoleon_use_rtype = False
html_theme = "furo"
exclude_patterns = ["_build"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]
