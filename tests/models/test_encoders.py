"""Encoders of every family: what their matrices are called, and that texts and subnetworks are read apart.

Which ones there are, and what becomes of them in training, is in `docs/encoders.md`.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForTextEncoding

from sparsecbm_core.errors import InputError, SparseCBMError
from sparsecbm_core.explain import score_tokens
from sparsecbm_core.explain.attention import attention
from sparsecbm_core.models import attention as kernels
from sparsecbm_core.models.backbone import build_backbone, load_backbone, max_positions
from sparsecbm_core.models.concept_model import ConceptModel
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.roles import FEED_FORWARD, FUSED, GATE, GATE_AND_IN, ROLES, role_order
from sparsecbm_core.models.sparse_cbm import SparseCBM
from sparsecbm_core.models.subnetworks import ConceptWeights, EffectiveWeights
from sparsecbm_core.training.preflight import check_encoder
from tests.encoders import FAMILIES
from tests.models.complete import complete
from tests.tiny import MAX_LENGTH, REVIEW, SPACE, encoder_config, make_tiny, tiny
from tests.toy import quick_settings, save_whole

DOCUMENT = Path(__file__).parents[2] / "docs" / "encoders.md"
REFUSED = ("pegasus", "convbert", "fnet", "nystromformer", "longformer", "flaubert", "mixtral")
WORKING = tuple(arch for arch in FAMILIES if arch not in REFUSED)
SHORT = "good soup"

GATED = (*ROLES[:4], GATE, *FEED_FORWARD)
GATED_ONES = ("nomic_bert", "eurobert", "llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "mt5")
OWN_ROLES = {
    **dict.fromkeys(GATED_ONES, GATED),
    "gpt2": (FUSED, "attention output", *FEED_FORWARD),
    "gpt_neox": (FUSED, "attention output", *FEED_FORWARD),
    "modernbert": (FUSED, "attention output", GATE_AND_IN, "feed-forward out"),
    "deberta": (FUSED, "position query", "position key", "attention output", *FEED_FORWARD),
    "mobilebert": (
        *ROLES[:4],
        *(f"{role} {number}" for role in FEED_FORWARD for number in (1, 2, 3, 4)),
        *("bottleneck.attention.dense", "bottleneck.input.dense", "output.bottleneck.dense"),
    ),
}

each = pytest.mark.parametrize("arch", WORKING)


@each
def test_matrices_are_called_what_the_field_calls_them(arch: str) -> None:
    infos = [info for info in tiny(arch).cbm.matrices if info.layer == 0]
    found = sorted((info.role for info in infos), key=role_order)
    assert found == [*OWN_ROLES.get(arch, ROLES)]
    shapes = {info.role: info.shape for info in infos}
    assert shapes.get("feed-forward in", (32, 16)) == (32, 16)
    assert shapes.get(GATE, (32, 16)) == (32, 16)
    assert shapes.get(GATE_AND_IN, (64, 16)) == (64, 16)
    assert shapes.get("feed-forward out", (16, 32)) == (16, 32)
    assert shapes.get(FUSED, (48, 16)) == (48, 16)


@each
def test_a_text_is_read_by_itself_and_each_concept_by_its_subnetwork(arch: str) -> None:
    model = tiny(arch)
    said = model.predict([SHORT, REVIEW]).concept_logits
    assert said is not None
    for row, text in enumerate((SHORT, REVIEW)):
        ids = torch.tensor([model.encode([text])[0].ids])
        for k, concept in enumerate(SPACE.concepts):
            with torch.no_grad():
                weights = model.cbm.weights_for(model.masks).only(concept)
                own = model.cbm.row_logits(model.cbm.embed(ids), torch.ones_like(ids), weights, [k])
            torch.testing.assert_close(own[0], said[row, k], rtol=1e-3, atol=1e-3)


@each
def test_words_are_scored_the_same_by_the_fused_kernel(arch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def scores() -> torch.Tensor:
        found = score_tokens(tiny(arch), REVIEW, "gradient")
        return torch.tensor([[token.score for token in tokens] for tokens, _ in found.values()])

    step_by_step = scores()
    assert step_by_step.isfinite().all()
    assert (step_by_step > 0).any(1).all()
    monkeypatch.setattr(kernels, "LONG", 1)
    torch.testing.assert_close(scores(), step_by_step, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize(
    "arch", ["xlm-roberta", "deberta", "deberta-v2", "modernbert", "gpt2", "qwen3", "t5", "bart"]
)
def test_a_checkpoint_is_the_same_model(arch: str, tmp_path: Path) -> None:
    model = tiny(arch)
    complete(model).save_pretrained(tmp_path / "model")
    loaded = ConceptModel.from_pretrained(tmp_path / "model", "cpu")
    assert loaded.fingerprint == model.fingerprint
    again = loaded.predict([REVIEW]).concept_logits
    torch.testing.assert_close(again, model.predict([REVIEW]).concept_logits, rtol=0.1, atol=0.1)  # of fp16


@each
def test_attention_adds_up(arch: str) -> None:
    found = attention(tiny(arch, None), REVIEW)
    for received in (*found.layers, found.rollout):
        assert sum(token.score for token in received.tokens) + received.framing == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("arch", ["fnet", "longformer"])
def test_attention_that_is_no_table_is_not_told(arch: str) -> None:
    with pytest.raises(InputError, match="Model does not tell its attention"):
        attention(tiny(arch, None), REVIEW)


@each
def test_the_longest_text_fits_and_one_token_more_does_not_always(arch: str) -> None:
    """What has a table of positions ends at its last row."""
    network = tiny(arch, None).cbm
    assert max_positions(network.encoder) == MAX_LENGTH
    longest, longer = (torch.full((1, length), 7) for length in (MAX_LENGTH, MAX_LENGTH + 1))
    with torch.no_grad():
        assert network(longest, torch.ones_like(longest)).label_logits.isfinite().all()
        if FAMILIES[arch].reserved:
            with pytest.raises((IndexError, RuntimeError)):
                network(longer, torch.ones_like(longer))


@pytest.mark.parametrize("arch", ["roberta", "xlm-roberta", "camembert", "data2vec-text", "mpnet"])
def test_positions_of_padding_are_none_of_a_text(arch: str) -> None:
    config = encoder_config(arch, tiny(arch).tokenizer)
    assert max_positions(build_backbone({**config, "max_position_embeddings": 514})) == 512


@pytest.mark.parametrize("arch", ["llama", "qwen3", "starcoder2"])
def test_heads_that_a_subnetwork_has_no_values_of_are_not_computed(
    arch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four queries, two of them with one key: subnetworks with the values of the first, the second, none."""
    grouped = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
    model = make_tiny(arch, density=None, **grouped)
    network = model.cbm
    bits = {info.name: np.ones((3, *info.shape), dtype=bool) for info in network.matrices}
    for info in network.matrices:
        if info.role == "value":
            bits[info.name][0, 8:] = bits[info.name][1, :8] = bits[info.name][2] = False
    masks = MaskSet.from_bool(SPACE.concepts, bits)
    whole = {name: masks.to_torch(name) * layer.weight for name, layer in network.masked_layers.items()}
    everything = EffectiveWeights(SPACE.concepts, {name: ConceptWeights(own) for name, own in whole.items()})
    computed: list[int] = []
    plain = kernels._plain

    def watched(module: torch.nn.Module, query: torch.Tensor, *others: object, **options: object) -> object:
        computed.append(query.shape[1])
        return plain(module, query, *others, **options)

    monkeypatch.setattr(kernels, "_plain", watched)
    ids = torch.tensor([model.encode([REVIEW])[0].ids])
    rows, mask = network.embed(ids).repeat_interleave(3, 0), torch.ones_like(ids).repeat(3, 1)
    for long in (256, 1):  # step by step, and fused
        monkeypatch.setattr(kernels, "LONG", long)
        with torch.no_grad():
            expected = network.row_logits(rows, mask, everything)
            computed.clear()
            said = network.row_logits(rows, mask, network.weights_for(masks))
        torch.testing.assert_close(said, expected, rtol=1e-4, atol=1e-5)
        assert computed == [2, 2, 0] * 2  # queries of each concept, in each layer


def test_squeezed_attention_is_never_fused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gemma 2 squeezes its logits, which the fused kernel cannot do."""
    monkeypatch.setattr(kernels, "LONG", 1)
    monkeypatch.setattr(kernels.F, "scaled_dot_product_attention", None)
    score_tokens(tiny("gemma2"), REVIEW, "gradient")
    with pytest.raises(TypeError):
        score_tokens(tiny("gemma"), REVIEW, "gradient")


@pytest.mark.parametrize("arch", ["gpt2", "t5", "mt5", "bart"])
def test_a_pretrained_encoder_reads_as_it_did_before(arch: str, tmp_path: Path) -> None:
    """GPT-2's weights the other way round; of an encoder-decoder the encoder."""
    whole = save_whole(tmp_path, arch)
    encoder, _ = load_backbone(str(tmp_path))
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        expected = whole.get_encoder()(input_ids=ids).last_hidden_state
        torch.testing.assert_close(encoder.eval()(input_ids=ids).last_hidden_state, expected)
        masked = SparseCBM(encoder, SPACE).eval().encoder
        torch.testing.assert_close(masked(input_ids=ids).last_hidden_state, expected)


def test_an_encoder_without_its_decoder_is_enough(tmp_path: Path) -> None:
    half = AutoModelForTextEncoding.from_config(save_whole(tmp_path, "t5").config)
    half.save_pretrained(tmp_path)
    encoder, _ = load_backbone(str(tmp_path))
    assert torch.equal(encoder.get_input_embeddings().weight, half.get_input_embeddings().weight)
    assert all(
        torch.equal(own, half.encoder.state_dict()[name]) for name, own in encoder.state_dict().items()
    )
    tensors = {name: own for name, own in half.state_dict().items() if "block.1" not in name}
    half.save_pretrained(tmp_path, state_dict=tensors)
    with pytest.raises(
        InputError, match=r"it lacks 8 of the encoder's weights, for example encoder\.block\.1"
    ):
        load_backbone(str(tmp_path))


def outcome(arch: str, **prune: str) -> str:
    """ "yes", or with which words a run is refused."""
    model = make_tiny(arch, density=None)
    model.network.requires_grad_(True)
    settings = quick_settings("tiny", prune, max_length=MAX_LENGTH)
    try:
        check_encoder(model.network, model.tokenizer, settings, torch.device("cpu"))
    except SparseCBMError as error:
        return re.sub(r"\d+(\.\d+)?%", "…", str(error))
    return "yes"


@pytest.mark.parametrize("arch", FAMILIES)
def test_the_document_says_what_becomes_of_it(arch: str) -> None:
    """A partition asks for all that other masks ask for, and more; what is after ";" is the same for all."""
    partition = outcome(arch, method="partition").partition(";")[0]
    gradual = "yes" if partition == "yes" else outcome(arch)
    assert (gradual == "yes") == (arch in WORKING)
    row = f"| {FAMILIES[arch].title} | `{arch}` | {gradual} | {partition if gradual == 'yes' else 'no'} |"
    assert row in DOCUMENT.read_text(encoding="utf-8").splitlines()


def test_the_document_lists_nothing_else() -> None:
    rows = re.findall(r"(?m)^\| .* \| `(\S+)` \|", DOCUMENT.read_text(encoding="utf-8"))
    assert rows == ["model_type", *FAMILIES]
