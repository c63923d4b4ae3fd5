"""What every command has, because it is derived: options, help, answers to mistakes, JSON, completion."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import click
import numpy as np
import pytest

from lingome.cli.app import build_app
from lingome.cli.command import SettingOption, WorkflowCommand, option_names
from lingome.cli.complete import SHELLS, VARIABLE
from lingome.cli.main import main
from lingome.config.data import ListSettings
from lingome.config.schema.fields import NEEDED, list_settings, show_default
from lingome.config.workflow import Workflow
from lingome.config.workflows import load_workflow, load_workflows
from lingome.core.errors import DataError
from lingome.core.outcome import Outcome, Plan, Table

ALL = load_workflows()
NAMES = [workflow.name for workflow in ALL]
CONFIGURABLE = [workflow for workflow in ALL if list_settings(workflow.settings)]


def least_words(workflow: Workflow) -> list[str]:
    """Give the fewest settings that are valid, as words."""
    enough = {"evaluate": ["table=x"], "score": ["sequences=x"], "tokens train": ["genomes=[x]"]}
    needed = [setting for setting in list_settings(workflow.settings) if setting.default is NEEDED]
    words = [f"{setting.name}={'[x]' if setting.kind == 'list' else 'x'}" for setting in needed]
    return [*words, *enough.get(workflow.name, [])]


def test_all_were_found():
    assert len(ALL) >= 25
    assert len(CONFIGURABLE) >= 23


def find_command(workflow: Workflow) -> WorkflowCommand:
    """Walk the tree of commands to that of a workflow."""
    command: click.Command | None = build_app()
    for word in workflow.name.split():
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    assert isinstance(command, WorkflowCommand)
    return command


@pytest.mark.parametrize("workflow", ALL, ids=NAMES)
def test_a_command_has_an_option_for_every_setting_of_its_own(workflow: Workflow):
    options = {param.setting.name: param.opts for param in find_command(workflow).params
               if isinstance(param, SettingOption)}
    own = [setting.name for setting in list_settings(workflow.settings) if "." not in setting.name]
    for name in own:
        assert f"--{name.replace('_', '-')}" in options[name]
    assert set(options) == {*own, *workflow.options}
    for name, short in (("model", "-m"), ("out", "-o")):
        assert name not in options or short in options[name]


@pytest.mark.parametrize("workflow", ALL, ids=NAMES)
def test_help_says_every_setting_in_80_columns(workflow: Workflow, capsys: pytest.CaptureFixture[str]):
    assert main([*workflow.name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert max(len(line) for line in shown.splitlines()) <= 80
    words = " ".join(shown.split())
    for setting in list_settings(workflow.settings):
        label = setting.name if "." in setting.name else f"-{setting.name.replace('_', '-')}"
        assert label in words.replace("[no-]", "")
        meaning = words.partition(label)[2] if "." in setting.name else words
        assert setting.description in meaning
        if setting.default is not NEEDED:
            assert show_default(setting.default) in meaning


@pytest.mark.parametrize("workflow", CONFIGURABLE, ids=lambda workflow: workflow.name)
def test_a_setting_of_a_part_is_answered_when_it_is_written_as_an_option(
    workflow: Workflow, capsys: pytest.CaptureFixture[str]
):
    names = [setting.name for setting in list_settings(workflow.settings)]
    for name in [one for one in names if "." in one and one not in workflow.options]:
        last = name.rsplit(".", 1)[-1]
        said = [f"--{name}", "7"] if last in names else [f"--{last.replace('_', '-')}=7"]
        assert main([*workflow.name.split(), *said]) == 2
        assert f"write {name}=7" in capsys.readouterr().err
    assert main([*workflow.name.split(), "--frobnicate"]) == 2
    assert "has no option --frobnicate" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["finetune", "x.csv", "--lr", "1e-3"], "write tune.lr=1e-3"),
        (["pretrain", "x.fa", "--lr=1e-3"], "write train.lr=1e-3"),
        (["pretrain", "x.fa", "--learning"], "names all settings"),
        (["embed", "x.fa", "--layr", "2"], "did you mean --layer"),
        (["finetune", "x.csv", "--tune.lrr", "2"], "did you mean tune.lr=..."),
        (["demo", "--dry-rum"], "did you mean --dry-run"),
        (["tokens", "inspect", "x", "--annotation", "x.bed"], "an annotation has a name and a file"),
    ],
)
def test_mistakes_in_options_are_answered(words: list[str], said: str, capsys: pytest.CaptureFixture[str]):
    assert main(words) == 2
    assert said in capsys.readouterr().err


def read_settings(monkeypatch: pytest.MonkeyPatch, words: str) -> dict[str, object]:
    """Give the settings that a command would run with."""
    seen: list[dict[str, object]] = []

    def keep(settings: object) -> Outcome:
        seen.append(settings.as_dict())  # type: ignore[attr-defined]
        return Outcome()

    monkeypatch.setattr(Workflow, "load_run", lambda workflow: keep)
    assert main(words.split()) == 0
    return seen[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("embed x.fa --too-long window --width-bp 100", "embed x.fa too_long=window width_bp=100"),
        ("embed x.fa --too_long window --layer all", "embed too_long=window --sequences x.fa layer=all"),
        ("embed x.fa --layer -2", "embed x.fa layer=-2"),
        ("finetune x.csv --method features,full", "finetune x.csv method=[features,full]"),
        ("finetune x.csv --no-baselines --seeds 2", "finetune x.csv baselines=false seeds=2"),
        ("demo --methods features --methods full", "demo methods=[features,full]"),
        ("demo --candidates [0,100]", "demo candidates=[0,100]"),
        ("tokens choose x --merges 0,50,...,100 --for causal", "tokens choose x merges=[0,50,100] purpose=causal"),
        ("tokens train x.fa y.fa --k 6", "tokens train --genome x.fa --genomes y.fa"),
        ("tokens train --kind kmers --side-by-side", "tokens train kind=kmers overlap=false"),
        ("pretrain x.fa -o y --ladder", "pretrain x.fa out=y ladder.enabled=true"),
        ("generate runs/x --length 20", "generate -m runs/x length_bp=20"),
        ("tokens inspect x --genome y --annotation a=b", "tokens inspect genome=y x annotation.a=b"),
        ("evaluate -m runs/x y.csv", "evaluate runs/x --table y.csv"),
        ("predict runs/x y.fa", "predict y.fa model=runs/x"),
        ("data fetch a --no-offline", "data fetch a offline=false"),
    ],
)
def test_options_inputs_and_settings_say_the_same(one: str, other: str, monkeypatch: pytest.MonkeyPatch):
    assert read_settings(monkeypatch, one) == read_settings(monkeypatch, other)


def test_a_run_is_resumed_with_its_own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "config.yaml").write_text(f"genome: x.fa\nout: {tmp_path}\nmerges: 77\n")
    settings = read_settings(monkeypatch, f"pretrain -o {tmp_path} --resume")
    assert (settings["merges"], settings["genome"], settings["resume"]) == (77, "x.fa", True)


def test_results_for_machines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    rows = [("x", np.float32(0.5), np.int64(3)), ("y", float("nan"), None)]
    table = Table("scores", ("name", "value", "n"), rows)

    def answer(settings: ListSettings) -> Outcome:
        return Outcome("done", [table], path=Path("runs/x"), problem=DataError("bad line", where="x:3"))

    monkeypatch.setattr("lingome.recipes.data.list_catalog", answer)
    assert main(["data", "list", "--json"]) == 3
    shown = capsys.readouterr()
    assert json.loads(shown.out) == {
        "message": "done", "path": "runs/x", "problem": "x:3: bad line", "text": "",
        "tables": [{"title": "scores", "columns": ["name", "value", "n"], "rows": [
            {"name": "x", "value": 0.5, "n": 3}, {"name": "y", "value": None, "n": None},
        ]}],
    }
    assert "error: x:3: bad line" in shown.err


def test_plans_for_machines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    plan = Plan("fetch", [("from", "here"), ("  not", "x")])
    monkeypatch.setattr("lingome.recipes.data.plan_fetch", lambda settings: plan)
    assert main(["data", "fetch", "yeast-genes", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "title": "fetch", "rows": [{"name": "from", "value": "here"}, {"name": "not", "value": "x"}],
    }


@pytest.mark.parametrize("workflow", ALL, ids=NAMES)
def test_every_command_prints_json(
    workflow: Workflow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(Workflow, "load_run", lambda self: lambda settings: Outcome("done"))
    assert main([*workflow.name.split(), *least_words(workflow), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["message"] == "done"


def complete(words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Ask for completions of the last word, as bash does."""
    with monkeypatch.context() as patch:
        patch.setenv(VARIABLE, "bash_complete")
        patch.setenv("COMP_WORDS", f"lingome {words}")
        patch.setenv("COMP_CWORD", str(len(words.split(" "))))
        assert main([]) == 0
    return capsys.readouterr().out.split()


@pytest.mark.parametrize("workflow", CONFIGURABLE, ids=lambda workflow: workflow.name)
def test_settings_and_options_are_completed(
    workflow: Workflow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    settings = list_settings(workflow.settings)
    for setting in (settings[0], settings[-1]):
        assert f"plain,{setting.name}=" in complete(f"{workflow.name} {setting.name[:-1]}", monkeypatch, capsys)
    names = {name.split("/")[0] for setting in settings for name in option_names(workflow, setting)
             if name.startswith("--")}
    assert {f"plain,{name}" for name in names} <= set(complete(f"{workflow.name} --", monkeypatch, capsys))


@pytest.mark.parametrize(
    ("words", "found"),
    [("fine", ["plain,finetune"]), ("tokens tr", ["plain,train"]), ("model ex", ["plain,export"]),
     ("embed x.fa", ["file,x.fa"]), ("embed ", ["file,"])],
)
def test_commands_and_files_are_completed(
    words: str, found: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert complete(words, monkeypatch, capsys) == found


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_for_shells(shell: str, capsys: pytest.CaptureFixture[str]):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert f"{VARIABLE}={shell}_complete" in script
    if shell == "bash":
        assert "compopt -o nospace" in script
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_a_shell_that_is_not_known(capsys: pytest.CaptureFixture[str]):
    assert main(["completion", "cmd"]) == 2
    assert "bash, zsh, fish" in capsys.readouterr().err


def test_settings_are_printed(capsys: pytest.CaptureFixture[str]):
    assert main(["config", "tokens", "train"]) == 0
    assert "\nmerges: 600\n" in capsys.readouterr().out
    assert main(["config", "finetine"]) == 2
    assert "did you mean 'finetune'" in capsys.readouterr().err


def test_a_needed_input_is_named(capsys: pytest.CaptureFixture[str]):
    assert main(["tokens", "show"]) == 2
    assert "'tokenizer' is needed" in capsys.readouterr().err
    assert load_workflow("tokens show").inputs.usage == "TOKENIZER"
