"""Every workflow is whole, its settings are described, and its commented file gives the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lingome.config.finetune import FinetuneSettings
from lingome.config.pretrain import PretrainSettings
from lingome.config.schema.commented import write_commented
from lingome.config.schema.fields import NEEDED, list_parts, list_settings, show_default
from lingome.config.schema.settings import load_settings
from lingome.config.workflow import Workflow, inputs_in_order
from lingome.config.workflows import GROUPS, WORKFLOWS, load_workflow, load_workflows
from lingome.core.errors import ConfigError

ALL = load_workflows()
NAMES = [workflow.name for workflow in ALL]
ENOUGH: dict[str, dict[str, Any]] = {
    "evaluate": {"table": "x.csv"}, "score": {"sequences": "x.fa"}, "tokens train": {"genomes": ["x.fa"]},
}
"""What has to be said beside the settings without a default, where one of several inputs is enough."""


def least_settings(workflow: Workflow) -> dict[str, Any]:
    """Give the fewest settings that are valid."""
    least = dict(ENOUGH.get(workflow.name, {}))
    for setting in list_settings(workflow.settings):
        if setting.default is NEEDED:
            least[setting.name] = ["x"] if setting.kind == "list" else "x"
    return least


def test_every_workflow_is_listed_under_its_own_name():
    assert len(ALL) == len(WORKFLOWS) >= 25
    assert list(WORKFLOWS) == NAMES
    assert {name.split()[0] for name in NAMES if " " in name} == set(GROUPS)


@pytest.mark.parametrize("workflow", ALL, ids=NAMES)
def test_a_workflow_is_whole(workflow: Workflow):
    assert callable(workflow.load_run())
    plan = workflow.load_plan()
    assert callable(plan) or workflow.plan is None
    assert workflow.description.rstrip().endswith(".")
    assert WORKFLOWS[workflow.name].summary.endswith(".")
    assert any(f"lingome {workflow.name}" in example for example in workflow.examples)
    assert set(workflow.options) <= {setting.name for setting in list_settings(workflow.settings)}


@pytest.mark.parametrize("workflow", ALL, ids=NAMES)
def test_the_commented_file_gives_the_defaults(workflow: Workflow, tmp_path: Path):
    file = tmp_path / "settings.yaml"
    file.write_text(write_commented(workflow), encoding="utf-8")
    least = least_settings(workflow)
    assert load_settings(workflow.settings, file, flags=least) == load_settings(workflow.settings, flags=least)


@pytest.mark.parametrize("workflow", ALL, ids=NAMES)
def test_the_commented_file_holds_every_setting(workflow: Workflow):
    text = write_commented(workflow)
    values = yaml.safe_load(text) or {}
    comments = " ".join(line.strip().removeprefix("# ") for line in text.splitlines() if line.strip().startswith("#"))
    for setting in list_settings(workflow.settings):
        *path, name = setting.name.split(".")
        place = values
        for part in path:
            place = place[part]
        assert name in place or (setting.default is NEEDED and f"{name}:" in text)
        assert setting.description in comments


def test_every_setting_has_a_description():
    settings = [setting for workflow in ALL for setting in list_settings(workflow.settings)]
    assert len(settings) > 390
    assert all(setting.description for setting in settings)


def test_parts_have_the_defaults_of_the_workflow():
    demo = {setting.name: setting.default for setting in list_settings(load_workflow("demo").settings)}
    assert (demo["pretrain.max_steps"], demo["tune.lr"], demo["choose.preset"]) == (100, 5e-4, "tiny")
    pretrain = {setting.name: setting.default for setting in list_settings(PretrainSettings)}
    assert (pretrain["train.epochs"], pretrain["train.eval_every"]) == (1, 200)  # as a rule of the part sets them
    assert pretrain["genome"] is NEEDED
    assert [part.name for part in list_parts(FinetuneSettings)] == ["", "task", "task.split", "tune"]


def test_defaults_are_written_as_they_are_set():
    assert [show_default(value) for value in ((0.7, 0.1), False, Path("runs/x"), (), {}, "", None)] == [
        "[0.7,0.1]", "false", "runs/x", "", "", "", ""
    ]


def test_inputs_leave_out_what_is_given():
    inputs = inputs_in_order(("tokenizer", "input"), usage="", meaning="", problem="two at most")
    assert inputs.sort(["a", "b"], ()) == {"tokenizer": "a", "input": "b"}
    assert inputs.sort(["b"], ("tokenizer",)) == {"input": "b"}
    with pytest.raises(ConfigError, match="two at most"):
        inputs.sort(["a", "b"], ("tokenizer",))


@pytest.mark.parametrize(
    ("name", "words", "given", "settings"),
    [
        ("predict", ["x.fa"], ["model"], {"sequences": "x.fa"}),
        ("predict", ["w.bed"], ["model", "genome"], {"bed": "w.bed"}),
        ("predict", ["runs/x", "g.fa"], ["bed"], {"model": "runs/x", "genome": "g.fa"}),
        ("score", ["calls.vcf.gz"], ["model"], {"variants": "calls.vcf.gz"}),
        ("evaluate", ["g.fa"], ["model"], {"genome": "g.fa"}),
        ("evaluate", ["runs/x"], ["table"], {"model": "runs/x"}),
        ("evaluate", ["runs/x", "t.csv"], [], {"model": "runs/x", "table": "t.csv"}),
        ("config", ["tokens", "train"], [], {"workflow": "tokens train"}),
        ("data fetch", ["a", "b"], [], {"names": ["a", "b"]}),
    ],
)
def test_inputs_by_kind(name: str, words: list[str], given: list[str], settings: dict[str, Any]):
    assert load_workflow(name).inputs.sort(words, given) == settings


@pytest.mark.parametrize(("name", "hint"), [("finetine", "did you mean 'finetune'"), ("xyzzy", "there are: demo, doc")])
def test_a_workflow_that_is_not_there(name: str, hint: str):
    with pytest.raises(ConfigError, match=hint):
        load_workflow(name)
