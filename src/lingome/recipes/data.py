"""``lingome data``: list the catalog, fetch data sets, look into files."""

from __future__ import annotations

import shutil

from lingome.config.data import CheckSettings, FetchSettings, ListSettings
from lingome.core.files import atomic_file, check_new_file
from lingome.core.outcome import Outcome, Plan, Table
from lingome.data.catalog.entries import Entry, entries, find
from lingome.data.catalog.fetch import cached_file, fetch, folder_file, steps
from lingome.data.genome import Genome
from lingome.data.readers.check import FileReport, check_file, recognise
from lingome.data.readers.compressed import is_folder, sniff


def list_catalog(settings: ListSettings) -> Outcome:
    """List every data set: name, what, organism, size, licence, and whether it is here."""
    rows = [
        (entry.name, entry.what, entry.organism, _size(entry.size_bytes), entry.licence, _place(entry))
        for entry in entries().values()
    ]
    columns = ("name", "what", "organism", "size", "licence", "here")
    message = "lingome data fetch NAME  gets one that is not here"
    return Outcome(message=message, tables=[Table("data sets", columns, rows)])


def plan_fetch(settings: FetchSettings) -> Plan:
    """Say which source each data set would come from; touches no network."""
    rows = []
    for name in settings.names:
        entry = find(name)
        tried = steps(entry, settings.offline)
        usable = [step for step in tried if not step.obstacle]
        rows.append((name, f"{entry.what}; {entry.licence}"))
        rows.append(("  from", usable[0].label if usable else "nowhere: every source is out of reach"))
        rows.extend(("  not", f"{step.label}: {step.obstacle}") for step in tried if step.obstacle)
    if settings.out is not None:
        check_new_file(settings.out, settings.force)
        rows.append(("copy to", str(settings.out)))
    return Plan("fetch", rows)


def run_fetch(settings: FetchSettings) -> Outcome:
    """Get data sets; their paths are the output.

    Raises
    ------
    DataError
        If one cannot be had, or the copy cannot be written.
    """
    for name in settings.names:
        find(name)
    if settings.out is not None:
        check_new_file(settings.out, settings.force)
    paths = [fetch(name, offline=settings.offline) for name in settings.names]
    if settings.out is not None:
        with atomic_file(settings.out, force=settings.force) as temporary:
            shutil.copyfile(paths[0], temporary)
        paths = [settings.out]
    lines = []
    for name in settings.names:
        entry = find(name)
        lines.append(f"{name}: {entry.what}. Licence: {entry.licence}. Cite {entry.citation}")
    return Outcome(message="\n".join(lines), text="".join(f"{path}\n" for path in paths), path=paths[-1])


def plan_check(settings: CheckSettings) -> Plan:
    """Say what the file looks like, from its first lines."""
    kind = "folder of tables" if is_folder(settings.file) else recognise(settings.file)
    rows = [("file", str(settings.file)), ("read as", kind)]
    if settings.genome is not None:
        sniff(settings.genome)
        rows.append(("against", str(settings.genome)))
    return Plan("check", rows)


def run_check(settings: CheckSettings) -> Outcome:
    """Look into a file; the outcome holds what to show, and the first problem, which ends the command.

    Raises
    ------
    DataError
        If the file is missing or of no known kind, or the genome cannot be read.
    """
    genome = Genome.open(settings.genome) if settings.genome is not None else None
    return describe(check_file(settings.file, genome))


def describe(report: FileReport) -> Outcome:
    """Put a report into a table; the first problem is its last row."""
    rows = [("read as", report.kind), *report.rows, *(("note", remark) for remark in report.skipped)]
    if report.problem is not None:
        rows.append(("problem", " ".join(str(report.problem).split())))
    verdict = "can be used" if report.problem is None else "cannot be used"
    return Outcome(
        message=f"{report.path} {verdict}", tables=[Table(str(report.path), ("what", "value"), rows)],
        path=report.path, problem=report.problem,
    )


def _place(entry: Entry) -> str:
    for source in entry.sources:
        if source.kind == "folder" and folder_file(source) is not None:
            return "yes"
    return "cache" if cached_file(entry).is_file() else "no"


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 1e5 else f"{size_bytes / 1e3:.1f} kB"
