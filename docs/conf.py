"""Sphinx settings: Markdown in, HTML out, no network."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # where settings_tables lies

project = "lingome"
author = "The lingome developers"
extensions = ["myst_parser", "settings_tables"]
html_theme = "furo"
exclude_patterns = ["_build"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]
