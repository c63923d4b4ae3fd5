"""Write the page of a run: one HTML file that needs nothing else.

The page allows no network by its own content security policy, and runs only the two scripts
whose digests that policy names. Everything from the run directory enters as escaped text or as
JSON that cannot close its element.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import vl_convert
from markupsafe import Markup

from lingome.core.errors import DataError
from lingome.core.files import check_new_file, write_text
from lingome.core.rundir import RunDir
from lingome.report.blocks import Figure, Section
from lingome.report.sections.overview import build_sections, cards, warnings
from lingome.report.tables import read_config, read_lineage, read_metrics, read_tables
from lingome.report.theme import SCHEMES, chart_config, css_variables

MAX_BYTES = 3_000_000
STILL_BYTES = 150_000
STILL_WIDTH = 680


def write_report(run: RunDir, out: Path | None = None, *, force: bool = False) -> Path:
    """Write the page of a run.

    Parameters
    ----------
    run : RunDir
        The run; only ``run.json``, ``config.yaml``, ``metrics.jsonl`` and ``tables/`` are read.
    out : Path, optional
        Where to write; ``report.html`` in the run by default, which is replaced if it exists.
    force : bool
        Replace `out` if it exists.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    DataError
        If the run is corrupt, `out` exists or cannot be written, or the page exceeds 3 MB.
    """
    path = run.report_path if out is None else out
    if path.is_dir():
        raise DataError("the output is a folder, but a report is one file", where=path, hint="-o report.html")
    if out is not None:
        check_new_file(out, force)
    write_text(path, render(run))
    return path


def render(run: RunDir) -> str:
    """Give the page of a run as text.

    Raises
    ------
    DataError
        If the run is corrupt, or the page exceeds 3 MB.
    """
    tables = read_tables(run)
    metrics = read_metrics(run)
    lineage = read_lineage(run)
    config = read_config(run)
    sections = [section for section in build_sections(tables, metrics, lineage, config) if section.blocks]
    specs = {figure.key: spec_of(figure) for figure in figures(sections)}
    boot = _template_text("page.js")
    page: dict[str, Any] = {
        "title": str(lineage.get("title") or f"{str(lineage.get('workflow', 'run')).capitalize()} report"),
        "question": lineage.get("question"), "answer": lineage.get("answer"),
        "started": lineage.get("started"),
        "version": _mapping(lineage.get("versions")).get("lingome"), "cards": cards(tables, metrics, lineage),
        "warnings": warnings(tables), "checked": "warnings" in tables or "leaks" in tables,
        "sections": sections, "specs": {key: script_json(spec) for key, spec in specs.items()},
        "themes": script_json({scheme: chart_config(scheme) for scheme in SCHEMES}),
        "light": Markup(css_variables("light")), "dark": Markup(css_variables("dark")),
        "style": Markup(_template_text("style.css")),
        "library": Markup(library()), "boot": Markup(boot),
        "hashes": [digest(library()), digest(boot)],
    }
    stills = {key: still(key, spec) for key, spec in specs.items()}
    text = _render(page, stills)
    while len(text.encode()) > MAX_BYTES and stills:
        del stills[max(stills, key=lambda key: len(stills[key]))]
        text = _render(page, stills)
    if len(text.encode()) > MAX_BYTES:
        raise DataError("the page would exceed 3 MB", where=run.path, got=f"{len(text.encode()):,} bytes",
                        hint="write fewer rows into the tables of this run")
    return text


def figures(sections: Sequence[Section]) -> list[Figure]:
    """List every figure of some sections."""
    return [block for section in sections for block in section.blocks if isinstance(block, Figure)]


def spec_of(figure: Figure) -> dict[str, Any]:
    """Give a figure's Vega-Lite specification, checked by Altair, without colours or addresses."""
    spec: dict[str, Any] = figure.chart.to_dict()
    for name in ("config", "$schema"):
        spec.pop(name, None)
    return spec


def still(key: str, spec: Mapping[str, Any]) -> Markup:
    """Draw a chart as SVG for readers without scripts; empty where that would be large.

    Clip paths get names of their own in the page, the same ones every time.
    """
    drawn = vl_convert.vegalite_to_svg({**spec, "width": STILL_WIDTH, "config": chart_config("light")})
    for address in (' xmlns="http://www.w3.org/2000/svg"', ' xmlns:xlink="http://www.w3.org/1999/xlink"'):
        drawn = drawn.replace(address, "")
    for index, name in enumerate(dict.fromkeys(re.findall(r'id="(clip\d+)"', drawn))):
        drawn = drawn.replace(f'id="{name}"', f'id="{key}-{index}"').replace(f"url(#{name})", f"url(#{key}-{index})")
    return Markup(drawn if len(drawn) <= STILL_BYTES else "")


def script_json(value: Any) -> Markup:
    """Write JSON that cannot end the script element it stands in, nor open a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


@functools.cache
def library() -> str:
    """Give Vega, Vega-Lite and Vega-Embed as one script."""
    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")).replace("</script", "<\\/script")


def digest(script: str) -> str:
    """Give the sha256 of a script as a content security policy names it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _template_text(name: str) -> str:
    return resources.files("lingome.report").joinpath("templates", name).read_text(encoding="utf-8")


def _render(page: Mapping[str, Any], stills: Mapping[str, Markup]) -> str:
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True,
                                     undefined=jinja2.StrictUndefined)
    return environment.from_string(_template_text("page.html.j2")).render(**page, stills=stills)
