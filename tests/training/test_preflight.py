"""What an encoder is looked at for before it is trained, and that looking changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from sparsecbm_core.errors import InputError, SettingsError
from sparsecbm_core.intervene.correct import intervene
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.device import pick_device
from sparsecbm_core.models.sparse_cbm import StandardClassifier
from sparsecbm_core.training.preflight import check_encoder
from sparsecbm_core.training.trainer import Trainer
from tests.tiny import MAX_LENGTH, REVIEW, make_tiny
from tests.toy import quick_settings, save_backbone, save_whole
from tests.training.runs import DEV, TRAIN, same_weights, train

CPU = torch.device("cpu")


def trainable(arch: str, **values: Any) -> ConceptModel:
    model = make_tiny(arch, density=None, **values)
    model.network.requires_grad_(True)
    return model


def check(model: ConceptModel, prune: dict[str, object] | None = None, **values: Any) -> None:
    settings = quick_settings("tiny", prune, **{"max_length": MAX_LENGTH, **values})
    check_encoder(model.network, model.tokenizer, settings, CPU)


def refused(model: ConceptModel, words: str, prune: dict[str, object] | None = None, **values: Any) -> None:
    with pytest.raises((InputError, SettingsError), match=words) as caught:
        check(model, prune, **values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["standard", "cbm", "sparse"])
def test_looking_changes_nothing(kind: str) -> None:
    model = trainable("bert")
    if kind == "standard":
        model = ConceptModel(
            StandardClassifier(model.network.encoder, model.space), model.tokenizer, None, MAX_LENGTH
        )
    network = model.network.train()
    network.get_submodule("encoder.embeddings").eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    state = torch.random.get_rng_state()
    check(model, kind=kind)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert [module.training for module in network.modules()] == modes
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize("name", ["<pad>", "terrace"])
def test_tokens_without_embeddings_are_refused(name: str) -> None:
    model = trainable("bert")
    count = len(model.tokenizer)
    model.tokenizer.add_special_tokens({"pad_token": name})
    more = rf"BertModel embeds {count} tokens, and its tokenizer has 1 more, for example '{name}'"
    refused(model, rf"{more}: .*resize_token_embeddings\({count + 1}\)")
    model.network.encoder.resize_token_embeddings(count + 1)
    check(model)


def test_a_padding_that_matters_is_refused() -> None:
    for arch in ("fnet", "convbert"):
        for kind in ("cbm", "sparse"):
            refused(trainable(arch), r"Model reads a text otherwise beside a longer one \(here by", kind=kind)
    model = trainable("mobilebert")
    check(model)
    torch.nn.init.ones_(model.network.encoder.get_input_embeddings().weight[model.tokenizer.pad_token_id])
    refused(model, "MobileBertModel reads a text otherwise")


def test_embeddings_that_are_read_otherwise_are_refused() -> None:
    refused(trainable("pegasus"), "PegasusEncoder reads tokens otherwise than their embeddings", kind="cbm")
    check(trainable("pegasus", scale_embedding=False))


def test_matrices_without_a_part_are_refused() -> None:
    model = trainable("longformer")
    refused(model, r"6 matrices in the layers of LongformerModel .*query_global: no subnetwork")
    check(model, kind="cbm")


def test_an_encoder_that_masks_would_mostly_leave_out_is_refused() -> None:
    model = trainable("mixtral")
    refused(model, r"only \d+% of the weights of MixtralModel")
    check(model, kind="cbm")


def test_subnetworks_that_would_get_mixed_up_are_refused() -> None:
    """DeBERTa's, were they read at once: distances between tokens would be shared out among concepts."""
    model = trainable("deberta-v2")
    check(model)
    model.cbm.one_by_one = False
    refused(model, "DebertaV2Model mixes the rows of a batch")


def test_a_precision_that_the_encoder_cannot_be_trained_in_is_refused() -> None:
    model = trainable("deberta")
    check(model)
    refused(
        model,
        "DebertaModel cannot be trained in bfloat16: .*; precision float32 may do",
        precision="bfloat16",
    )


def test_a_criterion_that_cannot_weigh_distances_is_refused() -> None:
    refused(trainable("deberta-v2"), "criterion 'wanda' weighs", {"criterion": "wanda"})
    check(trainable("albert"), {"criterion": "wanda"})


@pytest.mark.parametrize("kind", ["standard", "cbm", "sparse"])
def test_an_error_of_the_library_is_one_line(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = trainable("bert")
    if kind == "standard":
        model = ConceptModel(
            StandardClassifier(model.network.encoder, model.space), model.tokenizer, None, MAX_LENGTH
        )

    def broken(*_args: object, **_named: object) -> None:
        raise IndexError("index out\nof range")

    monkeypatch.setattr(model.network.encoder, "forward", broken)
    refused(model, "^BertModel cannot read 64 tokens: index out of range$", kind=kind)


@pytest.mark.parametrize(
    ("arch", "prune"),
    [
        ("longformer", {}),
        *((arch, {"method": "partition"}) for arch in ("albert", "modernbert", "starcoder2", "t5")),
    ],
)
def test_refused_before_the_first_epoch(arch: str, prune: dict[str, str], tmp_path: Path) -> None:
    save_whole(tmp_path / arch, arch)
    output = tmp_path / "run"
    with pytest.raises(SettingsError):
        train(str(tmp_path / arch), output, prune)
    assert not output.exists()


@pytest.mark.parametrize("arch", ["xlm-roberta", "camembert", "mpnet", "data2vec-text"])
def test_positions_for_no_token_are_not_counted(arch: str, tmp_path: Path) -> None:
    backbone = save_backbone(tmp_path / arch, arch)
    assert (
        json.loads((tmp_path / arch / "config.json").read_text())["max_position_embeddings"] == MAX_LENGTH + 2
    )
    with pytest.raises(SettingsError, match="max_length 66 exceeds the encoder's 64 positions"):
        Trainer(quick_settings(backbone, max_length=66), TRAIN, DEV, tmp_path / "run", device="cpu")
    Trainer(quick_settings(backbone, max_length=64), TRAIN, DEV, tmp_path / "run", device="cpu")


def test_a_tokenizer_with_nothing_to_pad_with_is_refused(tmp_path: Path) -> None:
    backbone = save_backbone(tmp_path / "opt", "opt")
    path = tmp_path / "opt" / "tokenizer_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in config.items() if k not in ("pad_token", "eos_token")}))
    with pytest.raises(InputError, match="has neither a padding token nor an end token"):
        train(backbone, tmp_path / "run")


def test_a_device_without_numbers_is_refused() -> None:
    with pytest.raises(SettingsError, match="device 'meta' is not usable here"):
        pick_device("meta")


@pytest.mark.parametrize("arch", ["qwen3", "deberta-v2", "t5", "gpt2"])
def test_a_run_from_beginning_to_a_correction(arch: str, tmp_path: Path) -> None:
    save_whole(tmp_path / arch, arch)
    model = train(str(tmp_path / arch), tmp_path / "run", dense_epochs=1, sparse_epochs=1)
    assert set(model.masks.sparsity().values()) == {0.75}
    loaded = ConceptModel.from_pretrained(tmp_path / "run" / "model", "cpu")
    assert loaded.fingerprint == model.fingerprint
    said = int(loaded.predict([REVIEW]).states[0, 0])
    wanted = next(state for index, state in enumerate(loaded.space.states) if index != said)
    done = intervene(loaded, REVIEW, "food", wanted, rule="signed")
    assert done.corrected.masks.sparsity() == loaded.masks.sparsity()
    assert same_weights(done.corrected, loaded)
