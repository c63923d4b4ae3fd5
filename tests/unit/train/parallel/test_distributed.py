"""Two real processes that meet through gloo, started once; what each reported is looked at from many sides."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lingome.core.errors import CheckpointError, ConfigError
from lingome.core.rundir import RunDir
from lingome.train.parallel.distributed import ALONE, check_agreement, choose_parallel, explain_lost_process
from lingome.train.parallel.sharded import find_layers
from lingome.train.parallel.shards import StoredTensors

SCRIPT = Path(__file__).with_name("two_processes.py")
spec = importlib.util.spec_from_file_location("two_processes", SCRIPT)
two_processes = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = two_processes
spec.loader.exec_module(two_processes)


def curve(path, split="train"):
    rows = RunDir(path).read_metrics()
    return {row["step"]: (row["loss"], row["tokens"]) for row in rows if row["split"] == split}


def assert_same_curve(found, expected):
    assert found.keys() == expected.keys()
    for step, (loss, tokens) in expected.items():
        assert found[step][0] == pytest.approx(loss, rel=1e-5), f"step {step}"
        assert found[step][1] == tokens


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Folder of the runs of two processes, and of the same runs in one; and the two reports."""
    folder = tmp_path_factory.mktemp("pair")
    two_processes.fit(folder / "one")
    for name, views in (("one-views", "crops"), ("one-views-fsdp", "dropout")):
        two_processes.fit(folder / name, views=views, max_steps=4)
    for name in ("one-to-ddp", "one-to-fsdp"):
        stopped = two_processes.fit(folder / name, trouble="signal", at=17, rank=0)
        assert stopped["error"] == "Interrupted"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {**os.environ, "OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    started = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"},
        )
        for rank in (0, 1)
    ]
    said = [process.communicate(timeout=120)[0] for process in started]
    codes = [process.returncode for process in started]
    assert codes == [0, 9], "\n".join(said)  # the second one died, as it was told to
    return folder, [json.loads((folder / f"process-{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.parametrize("how", ["ddp", "fsdp"])
def test_two_processes_have_the_curve_of_one(pair, how):
    folder, (first, second) = pair
    for split in ("train", "valid"):
        assert_same_curve(curve(folder / how, split), curve(folder / "one", split))
    assert len(curve(folder / how)) == 8
    assert first[how]["weights"] == second[how]["weights"]
    assert first[how]["published"] > 0
    assert second[how]["published"] == 0


@pytest.mark.parametrize(("name", "key"), [("views", "views"), ("views-fsdp", "views fsdp")])
def test_contrastive_batches_are_dealt_whole(pair, name, key):
    """Negatives are those of a micro-batch, which one process computes: the curve is that of one."""
    folder, (first, second) = pair
    assert first[key]["weights"] == second[key]["weights"]
    assert_same_curve(curve(folder / name), curve(folder / f"one-{name}"))
    assert len(curve(folder / name)) == 4


def test_a_signal_to_one_process_saves_and_ends_both(pair):
    folder, reports = pair
    for name in ("ddp stopped", "fsdp stopped"):
        for report in reports:
            assert report[name]["code"] == 130
            assert "after step 5 is saved" in report[name]["text"]
    assert not (folder / "of-process-1" / "ddp-stopped" / "state").exists()


def test_split_states_are_files_of_each_process_without_pickle(pair):
    folder, _ = pair
    state = folder / "fsdp-stopped" / "state" / "train"
    names = {path.name for path in (state / "step-00000005").iterdir()}
    assert names == {
        f"{stem}{end}" for stem in ("weights", "moments")
        for end in (".index.json", "-00001-of-00002.safetensors", "-00002-of-00002.safetensors")
    }
    stored = StoredTensors(state / "step-00000005", "weights")
    name = "body.layers.0.qkv.weight"
    whole = stored.read(name)
    assert whole.shape == stored.shapes[name] == (96, 32)
    assert torch.equal(stored.read(name, 40, 60), whole[40:60])  # over the border of the two files
    assert json.loads((state / "step-00000005" / "weights.index.json").read_text())["tensors"][name]["parts"] == [
        ["weights-00001-of-00002.safetensors", 0, 48], ["weights-00002-of-00002.safetensors", 48, 96],
    ]


@pytest.mark.parametrize("name", ["ddp-stopped", "fsdp-stopped"])
def test_one_process_goes_on_where_two_stopped(pair, name):
    folder, _ = pair
    done = two_processes.fit(folder / name, resume=True)
    assert done["steps"] == 8
    assert_same_curve(curve(folder / name), curve(folder / "one"))
    assert_same_curve(curve(folder / name, "valid"), curve(folder / "one", "valid"))


@pytest.mark.parametrize("how", ["ddp", "fsdp"])
def test_two_processes_go_on_where_one_stopped(pair, how):
    folder, reports = pair
    assert reports[0][f"{how} from one"]["steps"] == 8
    assert_same_curve(curve(folder / f"one-to-{how}"), curve(folder / "one"))


def test_processes_that_disagree_are_told_who_and_in_what(pair):
    _, reports = pair
    for report in reports:
        for name, what, got, expected in (
            ("seeds", "seed: ", "process 1: 1", "process 0: 0"),
            ("settings", "settings: lr: ", "process 1: 1.1", "process 0: 0.1"),
            ("shapes", "weights: body.layers.1", "process 1: (", "process 0: None"),
        ):
            error = report[name]
            assert (error["error"], error["code"]) == ("ConfigError", 2)
            assert error["text"].startswith(what)
            assert got in error["text"]
            assert expected in error["text"]


def test_a_loss_that_is_no_number_in_one_process_stops_both(pair):
    folder, reports = pair
    for report in reports:
        assert report["nan"]["code"] == 3
        # The fifth micro-batch of process 1 is its first one in the third step: the second of the step.
        assert "at step 3, micro-batch 2 of 4" in report["nan"]["text"]
        assert "batch 9 of pass 0 (input_ids 8 x 16, sha256 " in report["nan"]["text"]
        assert "the state after step 2 is kept in " + str(folder / "nan") in report["nan"]["text"]


def test_memory_that_runs_out_in_one_process_halves_both(pair):
    folder, (first, second) = pair
    assert first["memory"]["weights"] == second["memory"]["weights"]
    # Other shapes draw other dropout, so the curves are near each other, not equal.
    found, expected = curve(folder / "memory"), curve(folder / "one")
    assert found[8][1] == expected[8][1]
    assert found[1][0] == pytest.approx(expected[1][0], rel=0.05)


def test_what_cannot_be_shared_is_refused(pair):
    _, reports = pair
    for report in reports:
        assert report["uneven"]["code"] == report["apart"]["code"] == 2
        assert "train.accumulate=4 train.batch_tokens=3072" in report["uneven"]["text"]
        assert "2 processes were started" in report["apart"]["text"]


def test_a_process_that_dies_ends_the_other(pair):
    folder, (first, _) = pair
    assert (first["death"]["error"], first["death"]["code"]) == ("Interrupted", 130)
    assert "process 0 lost another process of the 2" in first["death"]["text"]
    assert (folder / "death" / "state" / "train" / "training.json").is_file()


def test_alone_nothing_is_exchanged():
    assert ALONE.sum([1.5, 2.0]) == [1.5, 2.0]
    assert ALONE.gather("a") == ["a"]
    check_agreement(ALONE, {"seed": "1"})
    assert choose_parallel(ALONE, two_processes.settings()) == "none"
    with pytest.raises(ConfigError, match="one process has nobody"):
        choose_parallel(ALONE, two_processes.settings(parallel="fsdp"))
    with pytest.raises(RuntimeError, match="timed out"), explain_lost_process():
        raise RuntimeError("timed out")  # not of another process: there is none


def test_layers_are_those_of_the_body():
    model = two_processes.build_masked_lm(two_processes.CONFIG)
    assert find_layers(model) == list(model.body.layers)
    assert find_layers(torch.nn.Linear(2, 2)) == []


@pytest.mark.parametrize("damage", ["gap", "missing", "short"])
def test_a_damaged_split_state_is_said_to_be_damaged(tmp_path, damage):
    names = ["weights-00001-of-00002.safetensors", "weights-00002-of-00002.safetensors"]
    parts = [[names[0], 0, 1], [names[1], 2 if damage == "gap" else 1, 3]]
    save_file({"w": torch.zeros(1, 2)}, tmp_path / names[0])
    if damage != "missing":
        save_file({"w": torch.zeros(1, 2)}, tmp_path / names[1])
    (tmp_path / "weights.index.json").write_text(json.dumps({"tensors": {"w": {"shape": [3, 2], "parts": parts}}}))
    with pytest.raises(CheckpointError):
        StoredTensors(tmp_path, "weights").read("w")
