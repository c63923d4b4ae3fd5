"""The page as a file: whole, alone, small, safe."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from lingome.core.errors import DataError
from lingome.core.rundir import RunDir
from lingome.report.page import MAX_BYTES, digest, library, script_json, write_report

VOID = {"meta", "input", "br", "hr", "img", "link"}
SECTIONS = ["results", "curves", "data", "vocabulary", "training", "next-kmer", "embedding", "region", "steps",
            "reproduce", "methods"]
CHARTS = ["scores", "roc", "pr", "calibration", "splits", "token-length", "rank", "gc", "loss-pretrain",
          "loss-finetune", "next-kmer", "embedding", "region", "overview", "steps"]


class Page(HTMLParser):
    """Collects elements, and checks that each that opens is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def specs(self) -> dict[str, dict]:
        data = [a for a in self.named("script") if a.get("type") == "application/json"]
        return {a["id"]: json.loads(text) for a, text in zip(data, self.texts["script"], strict=False)}


def written(run: RunDir) -> tuple[str, Page]:
    text = write_report(run).read_text(encoding="utf-8")
    return text, Page(text)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, write_run: Callable) -> tuple[str, Page]:
    return written(write_run(tmp_path_factory.mktemp("full") / "run"))


def test_every_table_has_its_section_in_order(full: tuple[str, Page]):
    found = [a["id"] for a in full[1].named("section")]
    assert found == ["warnings", *SECTIONS]


def test_page_is_one_small_file(full: tuple[str, Page]):
    text, page = full
    assert 1_000_000 < len(text.encode()) < MAX_BYTES
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "object", "embed", "base"), tag
        assert "src" not in attributes
        for name in ("href", "xlink:href", "action", "data"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)
    outside = text.replace(library(), "")
    assert "http" not in outside.replace("http-equiv", "")
    assert "@import" not in outside
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", outside)


def test_policy_forbids_the_network_and_names_the_two_scripts(full: tuple[str, Page]):
    text, page = full
    policy = next(a["content"] for a in page.named("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "unsafe-eval" not in policy
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 2
    assert all(f"'{digest(script)}'" in policy for script in scripts)


def test_every_chart_has_words_numbers_and_a_specification(full: tuple[str, Page]):
    text, page = full
    charts = [a for a in page.named("div") if a.get("class") == "chart"]
    assert [a["id"] for a in charts] == [f"chart-{key}" for key in CHARTS]
    specs = page.specs()
    for chart in charts:
        assert chart["role"] == "img"
        assert len(chart["aria-label"] or "") > 20
        spec = specs[str(chart["data-spec"])]
        assert spec["width"] == "container"
        assert "$schema" not in spec
    assert len(page.named("figure")) == len(page.named("h3")) - len(re.findall(r"^<h3>", text, re.MULTILINE))
    assert text.count("<summary>The numbers behind this chart</summary>") == len(CHARTS) - 1  # the overview repeats


def test_charts_without_scripts_are_drawn(full: tuple[str, Page]):
    assert len(full[1].named("noscript")) >= len(CHARTS) - 3
    assert len(full[1].named("svg")) == len(full[1].named("noscript"))


def test_answer_warnings_and_cards_come_first(full: tuple[str, Page]):
    text = full[0]
    places = [text.index(words) for words in (
        "ranks bound sites above unbound ones 87%", "The model saw the test block before.", "4 test windows share half",
        '<dl class="cards">', 'id="results"')]
    assert places == sorted(places)
    assert "0.873 (0.852-0.893)" in text
    assert "0.852 to 0.893 · Fine-tuned, all layers" in text


def test_best_rows_are_marked_in_words(full: tuple[str, Page]):
    assert re.search(r"Fine-tuned, all layers <span class=\"badge\">best model</span>", full[0])
    assert re.search(r"random forest <span class=\"badge\">best baseline</span>", full[0])


def test_reproduction_is_exact(full: tuple[str, Page]):
    text = full[0]
    assert "lingome demo -o runs/demo --seed 0" in text
    assert "ab" * 32 in text
    assert "lr: 0.001" in text
    assert "62,900,000" in text  # bases that pre-training saw: 62,960,000 - 60,000


@pytest.mark.parametrize("table", [
    "data", "vocabulary", "next_kmer", "splits", "scores", "curves", "calibration", "embedding_map", "embedding_axes",
    "predictions", "region_peaks", "leaks", "warnings", "steps",
])
def test_page_stands_without_any_one_table(write_run: Callable, tmp_path, table: str):
    run = write_run(tmp_path / "run", tables=[table])
    text, page = written(run)
    alone = {"data": "data", "splits": "data", "leaks": "data", "scores": "results", "curves": "curves",
             "calibration": "curves", "next_kmer": "next-kmer", "embedding_map": "embedding", "predictions": "region",
             "vocabulary": "vocabulary", "steps": "steps"}
    expected = {alone[table]} if table in alone else set()
    found = {a["id"] for a in page.named("section")} & set(SECTIONS)
    assert found - {"methods"} == expected | {"training", "reproduce"}
    for heading, rest in re.findall(r"<h2>(.*?)</h2>(.*?)</section>", text, re.DOTALL):
        assert re.sub(r"<p>.*?</p>|\s", "", rest), f"{heading} is empty"


def test_bare_run_gives_a_page(tmp_path):
    with RunDir.create(tmp_path / "run") as run:
        run.write_lineage({"workflow": "tokens", "seed": 0})
        run.write_table("scores", [])
    _, page = written(run)
    assert [a["id"] for a in page.named("section")] == ["reproduce"]
    assert page.texts["h1"] == ["Tokens report"]


HOSTILE = """</script><script>alert(1)</script><img src=x onerror='alert("2")'> <!-- & ' " \u2028 {{ 7*7 }}"""


def test_hostile_text_stays_text(tmp_path):
    with RunDir.create(tmp_path / "run") as run:
        run.write_table("scores", [{"name": HOSTILE, "kind": "model", "auroc": 0.9, "n_test": 10}])
        run.write_table("curves", [{"name": HOSTILE, "kind": "model", "curve": "roc", "x": x, "y": x} for x in (0, 1)])
        run.write_table("predictions", [{"chrom": HOSTILE, "start": 1, "end": 5, "probability": 0.5, "label": HOSTILE}])
        run.write_table("embedding_map", [{"id": HOSTILE, "pc1": 0.1, "pc2": 0.2, "label": HOSTILE}])
        run.write_table("warnings", [{"level": HOSTILE, "topic": HOSTILE, "text": HOSTILE}])
        run.write_table("steps", [{"step": HOSTILE, "time_s": 1.5}])
        run.append_metric(phase=HOSTILE, split=HOSTILE, step=1, loss=1.5)
        run.write_config({HOSTILE: HOSTILE})
        run.write_lineage({"title": HOSTILE, "question": HOSTILE, "answer": HOSTILE, "command": HOSTILE, "seed": 0,
                           "versions": {HOSTILE: HOSTILE}, "inputs": [{"name": HOSTILE}], "workflow": HOSTILE})
    text, page = written(run)
    assert len([a for a in page.named("script") if "type" not in a]) == 2
    assert page.named("img") == []
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert "alert(1)" not in "".join(re.findall(r"<script>(.*?)</script>", text, re.DOTALL))
    assert any(HOSTILE in row["name"] for rows in page.specs()["spec-scores"]["datasets"].values() for row in rows)
    assert "{{ 7*7 }}" in text
    assert page.texts["h1"] == [HOSTILE]


def test_json_in_a_script_cannot_end_it():
    text = script_json({"a": "</script><!--\u2029"})
    assert "<" not in text
    assert ">" not in text
    assert json.loads(text) == {"a": "</script><!--\u2029"}


def test_own_page_is_replaced_and_another_file_is_not(write_run: Callable, tmp_path):
    run = write_run(tmp_path / "run", tables=["steps"])
    assert write_report(run) == write_report(run) == run.path / "report.html"
    other = tmp_path / "other.html"
    other.write_text("mine")
    with pytest.raises(DataError, match="exists already"):
        write_report(run, other)
    assert other.read_text() == "mine"
    assert "<h1>" in write_report(run, other, force=True).read_text(encoding="utf-8")
    with pytest.raises(DataError, match="folder"):
        write_report(run, tmp_path)


def test_same_run_gives_the_same_page(write_run: Callable, tmp_path):
    run = write_run(tmp_path / "run", tables=["scores", "predictions", "embedding_map"])
    assert write_report(run).read_text(encoding="utf-8") == write_report(run).read_text(encoding="utf-8")
