import pytest

from lingome.cli.main import main
from lingome.core.errors import ConfigError
from lingome.core.processes import count_processes, is_first_process, local_rank, process_rank
from lingome.core.rundir import RunDir


@pytest.fixture
def second(monkeypatch):
    for name, value in (("RANK", "3"), ("LOCAL_RANK", "1"), ("WORLD_SIZE", "4")):
        monkeypatch.setenv(name, value)


def test_without_torchrun_there_is_one_process(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "8")  # of something else
    assert (count_processes(), process_rank(), local_rank(), is_first_process()) == (1, 0, 0, True)


def test_torchrun_says_who_this_is(second):
    assert (count_processes(), process_rank(), local_rank(), is_first_process()) == (4, 3, 1, False)


def test_only_the_first_process_makes_the_run(second, tmp_path):
    with RunDir.create(tmp_path / "run") as run:
        run.write_table("steps", [{"step": "a", "time_s": 1}])
        elsewhere = run.path
        assert run.has_table("steps")
    assert list(tmp_path.iterdir()) == []
    assert not elsewhere.exists()


def test_commands_that_cannot_be_shared_are_refused(second, capsys):
    assert main(["embed", "model", "x.fa"]) == ConfigError.exit_code
    assert "process 3: lingome embed runs in one process" in capsys.readouterr().err


def test_a_run_may_be_gone_on_with_under_settings_that_are_set_aside(tmp_path):
    run = RunDir(tmp_path)
    (tmp_path / "tables").mkdir()
    run.write_config({"seed": 1, "train": {"lr": 0.1, "parallel": "ddp"}})
    now = {"seed": 1, "train": {"lr": 0.1, "parallel": "fsdp", "newer": True}}
    run.check_resumable(now, may_differ={"train.parallel"}, command="again")
    with pytest.raises(ConfigError, match=r"train\.parallel: a run is resumed"):
        run.check_resumable(now, may_differ=set(), command="again")
    with pytest.raises(ConfigError, match=r"train\.lr: a run"):
        run.check_resumable({"train": {"lr": 0.2}}, may_differ=set(), command="again")
    with pytest.raises(ConfigError, match=r"train\.newer: a run"):
        run.check_resumable(now, may_differ={"train.parallel"}, command="again", defaults={"train": {"newer": False}})
