"""A stopped run's state on disk, its log, and where it runs."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from sparsecbm_core.errors import CheckpointError, SettingsError, SparseCBMWarning
from sparsecbm_core.models.device import pick_device
from sparsecbm_core.training import snapshot as snapshot_module
from sparsecbm_core.training import state
from sparsecbm_core.training.log import RunLog
from sparsecbm_core.training.runtime import pick_precision
from sparsecbm_core.training.snapshot import Snapshot, optimizer_tensors, restore_optimizer
from sparsecbm_core.training.state import Position, StateFile
from tests.tiny import SPACE, make_tiny

FINGERPRINT = {"settings": {"seed": 0, "prune": {"damp": 1e-7}}, "train": "abc", "init": None}
POSITION = Position("sparse", 2, 5, 0.125, 1, 321, (0.5, 1.25, 3))
TENSORS = {"model/a": torch.arange(6.0).reshape(2, 3), "rng": torch.tensor([1, 2], dtype=torch.uint8)}


def state_file(path, **changes):
    return StateFile(path, FINGERPRINT | changes, 300.0)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "resume.safetensors"
    state_file(path).save(POSITION, TENSORS)
    return path


def test_everything_comes_back(path):
    position, tensors = state_file(path).load()
    assert position == POSITION
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], tensor) for name, tensor in TENSORS.items())
    start = Position("dense", 0, 0, None, None, 0)
    state_file(path).save(start, {})
    assert state_file(path).load() == (start, {})


def test_a_transposed_tensor_is_stored_as_it_looks(path):
    state_file(path).save(POSITION, {"a": TENSORS["model/a"].T})
    assert torch.equal(state_file(path).load()[1]["a"], TENSORS["model/a"].T)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"train": "other"}, "train"),
        ({"settings": {"seed": 1, "prune": {"damp": 1e-7}}}, "seed"),
        ({"settings": {"seed": 0, "prune": {"damp": 1e-6}}}, "damp"),
        ({"init": "1234", "train": "other"}, "init, train"),
    ],
)
def test_other_settings_or_data_are_refused_by_name(path, changes, named):
    with pytest.raises(CheckpointError, match=rf"other settings or data \({named}\)") as caught:
        state_file(path, **changes).load()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", [0, 5, 100, 0.99])
def test_a_truncated_file_is_refused(path, keep):
    data = path.read_bytes()
    path.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
    with pytest.raises(CheckpointError, match="is damaged and cannot be resumed from"):
        state_file(path).load()


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {"fingerprint": json.dumps(FINGERPRINT)},
        {"fingerprint": "{", "position": "{}"},
        {"fingerprint": json.dumps(FINGERPRINT), "position": "{}"},
        {"fingerprint": json.dumps(FINGERPRINT), "position": '{"phase": "dense", "loss_sums": []}'},
        {"fingerprint": "[]", "position": "{}"},
    ],
)
def test_a_file_of_another_kind_is_refused(path, metadata):
    save_file(TENSORS, path, metadata)
    with pytest.raises(CheckpointError, match="is damaged and cannot be resumed from"):
        state_file(path).load()


def test_a_kill_while_writing_leaves_the_state_before(path, monkeypatch):
    def killed(tensors, temporary, metadata):
        temporary.write_bytes(b"half a fi")
        raise KeyboardInterrupt

    monkeypatch.setattr(state, "save_file", killed)
    with pytest.raises(KeyboardInterrupt):
        state_file(path).save(Position("dense", 0, 0, None, None, 0), {})
    assert state_file(path).load()[0] == POSITION


def test_an_optimizer_goes_on_where_it_stopped():
    def step(model, optimizer):
        optimizer.zero_grad()
        model(torch.ones(1, 3)).square().sum().backward()
        optimizer.step()

    def build():
        torch.manual_seed(0)
        model = torch.nn.Linear(3, 2)
        return model, torch.optim.AdamW(model.parameters(), lr=0.1)

    model, optimizer = build()
    for _ in range(2):
        step(model, optimizer)
    weights, moments = (
        {n: t.clone() for n, t in model.state_dict().items()},
        optimizer_tensors(model, optimizer),
    )
    moments = {name: tensor.clone() for name, tensor in moments.items()}
    assert set(moments) == {
        f"{key}/{name}" for key in ("step", "exp_avg", "exp_avg_sq") for name in ("weight", "bias")
    }
    step(model, optimizer)

    resumed, fresh = build()
    resumed.load_state_dict(weights)
    restore_optimizer(resumed, fresh, moments)
    step(resumed, fresh)
    assert all(torch.equal(model.state_dict()[n], t) for n, t in resumed.state_dict().items())


@pytest.mark.parametrize("masked", [True, False])
def test_a_snapshot_comes_back_from_its_tensors(masked):
    model = make_tiny("bert")
    masks = model.masks if masked else None
    best = {name: tensor + 1 for name, tensor in model.network.state_dict().items()}
    optimizer = torch.optim.AdamW(model.network.requires_grad_(True).parameters())
    snapshot = Snapshot.of(model.network, optimizer, best, masks, masks)
    back = Snapshot.from_tensors(snapshot.tensors(), SPACE.concepts, model.cbm.mask_shapes)
    assert (back.masks, back.best_masks) == (masks, masks)
    assert all(torch.equal(back.best[name], tensor) for name, tensor in best.items())
    torch.rand(2)  # moves the random state on
    expected = make_tiny("bert", seed=1).network
    back.restore(expected, torch.optim.AdamW(expected.parameters()))
    assert all(torch.equal(expected.state_dict()[n], t) for n, t in model.network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), snapshot.rng)


def test_moments_come_back_to_the_device_of_their_parameters():
    """Saved states are read onto the CPU; AdamW adds to its moments where the parameters are."""
    here, there = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2, device="meta")
    optimizer = torch.optim.AdamW(here.parameters())
    here(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    moved = torch.optim.AdamW(there.parameters())
    restore_optimizer(there, moved, optimizer_tensors(here, optimizer))
    for parameter in there.parameters():
        state = moved.state[parameter]
        assert state["exp_avg"].device == state["exp_avg_sq"].device == parameter.device
        assert state["step"] == 1


def test_the_random_state_of_an_accelerator_is_kept(monkeypatch):
    """Stood in for, since there may be none here."""
    state, restored = torch.arange(16, dtype=torch.uint8), []
    monkeypatch.setattr(snapshot_module, "device_of", lambda network: torch.device("cuda:1"))
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: state + device.index)
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda *arguments: restored.append(arguments))
    network = torch.nn.Linear(1, 1)
    optimizer = torch.optim.AdamW(network.parameters())
    tensors = Snapshot.of(network, optimizer, {}, None, None).tensors()
    Snapshot.from_tensors(tensors, (), {}).restore(network, optimizer)
    ((again, device),) = restored
    assert torch.equal(again, state + 1)
    assert device == torch.device("cuda:1")


def test_a_state_is_on_the_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    synced = []

    def sync(path):
        assert not (tmp_path / "resume.safetensors").exists()
        synced.append(path.stat().st_size)

    monkeypatch.setattr(state, "sync", sync)
    state_file(tmp_path / "resume.safetensors").save(POSITION, TENSORS)
    assert synced == [(tmp_path / "resume.safetensors").stat().st_size]


def test_another_number_of_threads_is_warned_of(path, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    with pytest.warns(SparseCBMWarning, match="goes on with 77") as caught:
        assert state_file(path).load()[0] == POSITION
    assert "\n" not in str(caught[0].message)


def test_a_snapshot_that_does_not_fit_is_refused():
    model = make_tiny("bert")
    optimizer = torch.optim.AdamW(model.network.parameters())
    tensors = Snapshot.of(model.network, optimizer, {}, model.masks, None).tensors()
    shapes = model.cbm.mask_shapes

    def refused(match, **changes):
        changed = {name: t for name, t in {**tensors, **changes}.items() if t is not None}
        with pytest.raises(CheckpointError, match=match) as caught:
            Snapshot.from_tensors(changed, SPACE.concepts, shapes).restore(model.network, optimizer)
        assert "\n" not in str(caught.value)

    refused("no random state", rng=None)
    refused("does not fit the run", rng=torch.zeros(3))
    refused("does not fit the run", **{"model/projector": None})
    refused("does not fit the run", **{"model/projector": torch.zeros(2)})
    refused("does not fit the run", **{"optimizer/exp_avg/nothing": torch.zeros(2)})
    name = next(name for name in tensors if name.startswith("mask/"))
    refused("expected uint8", **{name: torch.zeros(2, 2, dtype=torch.uint8)})
    refused("do not match the shapes", **{name: None})


def test_the_log_is_json_lines_and_is_cut_back_to_the_state(tmp_path):
    path = tmp_path / "log.jsonl"
    log = RunLog(path)
    log.write("start", name="Café")
    size = log.size()
    log.write("epoch", score=0.5)
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [event["event"] for event in events] == ["start", "epoch"]
    assert (events[0]["name"], events[1]["score"]) == ("Café", 0.5)
    assert all(event["time"].endswith("+00:00") for event in events)
    again = RunLog(path, size)
    assert again.size() == size
    again.write("epoch", score=0.75)
    assert [json.loads(line).get("score") for line in path.read_text().splitlines()] == [None, 0.75]
    assert RunLog(path).size() == 0


def test_a_log_that_was_lost_is_not_filled_with_zeros(tmp_path):
    log = RunLog(tmp_path / "log.jsonl", 50)
    log.write("epoch")
    assert json.loads((tmp_path / "log.jsonl").read_text())["event"] == "epoch"


def test_device_and_precision(monkeypatch):
    cpu = pick_device("cpu")
    assert cpu == torch.device("cpu")
    assert pick_device() in [torch.device(name) for name in ("cpu", "cuda", "mps")]
    assert pick_precision("float32", cpu) == torch.float32
    assert pick_precision("bfloat16", cpu) == torch.bfloat16
    for units, expected in (
        (("avx512_bf16",), torch.bfloat16),
        (("amx_tile",), torch.bfloat16),
        ((), torch.float32),
    ):
        for unit in ("amx_tile", "avx512_bf16"):
            monkeypatch.setattr(
                torch.cpu, f"_is_{unit}_supported", lambda has=unit in units: has, raising=False
            )
        assert pick_precision("auto", cpu) == expected
    assert pick_precision("auto", torch.device("mps")) == torch.float32


@pytest.mark.parametrize("name", ["", "gpu", "cpu:x", "cuda:99"])
def test_a_device_that_is_not_there(name):
    with pytest.raises(SettingsError, match="is not usable here") as caught:
        pick_device(name)
    assert "\n" not in str(caught.value)
