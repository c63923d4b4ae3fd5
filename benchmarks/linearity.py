"""How time and memory of `lingome tokens train` grow from 1 Mb to 3.1 Gb; started by `tokens.py --linearity`."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import genome
from measuring import memory_mb, run_child, table

SIZES_MB = (1, 10, 100, 1000, 3100)
MERGES = 600
PICTURE = Path(__file__).resolve().parent.parent / "docs" / "pictures" / "linearity.svg"


def train_whole(fasta: Path, out: Path, threads: int | None) -> dict[str, float]:
    """Run the command in a process of its own, start-up, reading, counting and writing included."""
    words = [str(fasta), "--kind", "bpe", "--merges", str(MERGES), "-o", str(out)]
    words += [f"threads={threads}"] if threads else []
    answer, whole = run_child(__file__, *words)
    return {"cpu_s": whole["process_cpu_s"], "wall_s": whole["process_wall_s"], "peak_mb": answer["peak_mb"]}


def run(max_mb: float, threads: int | None, picture: Path | None) -> None:
    """Print the table and draw the chart; the chart of the documentation only when no size is left out."""
    source = genome.read_source()
    rows: list[dict[str, Any]] = []
    cores = f", threads={threads}" if threads else ""
    print(f"\n## lingome tokens train{cores}, {MERGES} merges, synthetic genome, whole process\n")
    with tempfile.TemporaryDirectory() as name:
        folder, fasta = Path(name), Path(name) / "genome.fa"
        genome.write_genome(fasta, 100_000, 0, source)
        train_whole(fasta, folder / "warm", threads)  # compiles the kernels
        for size in (size for size in SIZES_MB if size <= max_mb):
            genome.write_genome(fasta, size * 1_000_000, 0, source)
            cost = train_whole(fasta, folder / f"{size}", threads)
            rows.append({"mb": size, **cost})
            print(f"{size} Mb: {cost['wall_s']:.1f} s", file=sys.stderr, flush=True)
    show(rows)
    if picture is None and rows[-1]["mb"] == SIZES_MB[-1]:
        picture = PICTURE
    if picture is not None:
        draw(rows, picture)
        print(f"\nchart: {picture}")


def show(rows: list[dict[str, Any]]) -> None:
    """Print what a run costs, and what each base costs beyond the smallest run, which is start-up."""
    least = rows[0]
    table(
        ("Mb", "CPU s", "wall s", "CPU s per Mb", "beyond start-up", "peak MB", "bytes per base beyond start-up"),
        [
            [
                f"{row['mb']:,}", f"{row['cpu_s']:.1f}", f"{row['wall_s']:.1f}", f"{row['cpu_s'] / row['mb']:.4f}",
                *(("-", f"{row['peak_mb']:,.0f}", "-") if row is least else (
                    f"{(row['cpu_s'] - least['cpu_s']) / (row['mb'] - least['mb']):.4f}", f"{row['peak_mb']:,.0f}",
                    f"{(row['peak_mb'] - least['peak_mb']) / (row['mb'] - least['mb']):.2f}",
                )),
            ]
            for row in rows
        ],
    )


def draw(rows: list[dict[str, Any]], picture: Path) -> None:
    """Draw both quantities against size, log-log, each with a line of slope one through the largest run."""
    import altair as alt

    from lingome.report.theme import chart_config

    sizes = [row["mb"] for row in rows]

    def panel(key: str, title: str, text: str) -> Any:
        bottom, top, last = min(row[key] for row in rows) / 2, rows[-1][key] * 3, rows[-1]
        ticks = [value for value in (10.0**i for i in range(-3, 8)) if bottom <= value <= top]
        x = alt.X("mb:Q", title="sequence, Mb", scale=alt.Scale(type="log", domain=[sizes[0] / 4, sizes[-1] * 2]),
                  axis=alt.Axis(values=sizes, format=",", grid=False, labelOverlap=False))
        y = alt.Y(f"{key}:Q", title=title, scale=alt.Scale(type="log", domain=[bottom, top], nice=False),
                  axis=alt.Axis(values=ticks, format=",~g", labelOverlap=False))
        start = max(sizes[0], last["mb"] * bottom / last[key])  # in the frame
        guide = [{"mb": mb, key: last[key] * mb / last["mb"]} for mb in (start, last["mb"])]
        slope = alt.Chart(alt.InlineData(values=guide)).mark_line(strokeDash=[4, 4], color="#9aa1a9")
        marked = [{**row, "label": text.format(row[key])} for row in rows]
        measured = alt.Chart(alt.InlineData(values=marked))
        line = measured.mark_line(point=alt.OverlayMarkDef(size=60, filled=True))
        words = measured.mark_text(dx=-7, dy=-7, align="right").encode(text="label:N")
        return alt.layer(*(part.encode(x=x, y=y) for part in (slope, line, words))).properties(width=320, height=240)

    chart = alt.hconcat(
        panel("cpu_s", "CPU seconds", "{:.3g} s"), panel("peak_mb", "peak memory, MB", "{:,.0f} MB"), spacing=40,
        title=alt.Title(
            f"lingome tokens train, {MERGES} merges, synthetic genome, whole process", fontSize=14, anchor="start",
            subtitle="dashed: in proportion to the length of the sequence", subtitleColor="#565d66", offset=16,
        ),
    ).configure(**{**chart_config("light"), "background": "white", "padding": 14})
    picture.parent.mkdir(parents=True, exist_ok=True)
    chart.save(str(picture))


def main() -> None:
    """Run `lingome tokens train` with the words given, and print its peak as JSON."""
    from lingome.cli.main import entry

    sys.argv = ["lingome", "tokens", "train", *sys.argv[1:]]
    status: Any = 0
    with contextlib.redirect_stdout(sys.stderr):
        try:
            entry()
        except SystemExit as stop:
            status = stop.code
    print(json.dumps({"peak_mb": memory_mb("VmHWM")}))
    sys.exit(status)


if __name__ == "__main__":
    main()
