"""Make the page of a run: read its directory, write one HTML file."""

from __future__ import annotations

from lingome.config.report import ReportSettings
from lingome.core.files import check_new_file
from lingome.core.outcome import Outcome, Plan
from lingome.core.progress import say
from lingome.core.rundir import RunDir
from lingome.report.page import write_report
from lingome.report.sections.overview import build_sections
from lingome.report.tables import read_config, read_lineage, read_metrics, read_tables


def plan(settings: ReportSettings) -> Plan:
    """Read everything the page would show, and list its sections; write nothing.

    Raises
    ------
    DataError
        If the run is corrupt, or the output exists.
    """
    run = RunDir.open(settings.run)
    if settings.out is not None:
        check_new_file(settings.out, settings.force)
    tables = read_tables(run)
    metrics = read_metrics(run)
    sections = build_sections(tables, metrics, read_lineage(run), read_config(run))
    return Plan("Page of a run", [
        ("run", str(run.path)),
        ("page", str(settings.out or run.report_path)),
        ("tables", ", ".join(f"{name} ({len(rows):,} rows)" for name, rows in tables.items()) or "none"),
        ("training lines", f"{len(metrics):,}"),
        ("sections", ", ".join(section.title for section in sections if section.blocks)),
        ("size", "1 to 3 MB, one file"),
        ("memory", "about 0.3 GB"),
        ("time", "a few seconds"),
    ])


def run(settings: ReportSettings) -> Outcome:
    """Write the page.

    Raises
    ------
    DataError
        If the run is corrupt, or the output exists or cannot be written.
    """
    source = RunDir.open(settings.run)
    say(f"drawing {source.path}")
    path = write_report(source, settings.out, force=settings.force)
    return Outcome(message=f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB); open it in a browser", path=path)
