"""Families of encoders as tiny configurations; `docs/encoders.md` says of each what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_PLAIN = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
_GROUPED = {**_PLAIN, "num_key_value_heads": 1, "head_dim": 8}  # both query heads look with the same keys
_DISTANCES = {**_PLAIN, "relative_attention": True, "max_relative_positions": -1}
_T5 = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
_BART = {
    "d_model": 16,
    **{f"{part}_{name}": 2 for part in ("encoder", "decoder") for name in ("layers", "attention_heads")},
    **{f"{part}_ffn_dim": 32 for part in ("encoder", "decoder")},
}


@dataclass(frozen=True)
class Family:
    """``title`` is the name that people use, ``values`` the shape of a tiny one, ``tokenizer`` whose kind."""

    title: str
    values: Mapping[str, Any] = field(default_factory=lambda: _PLAIN)
    tokenizer: str = "bert"
    reserved: int = 0  # rows of the table of positions that are for no token


# By model_type, the name that a configuration gives its family.
FAMILIES = {
    "bert": Family("BERT"),
    "distilbert": Family("DistilBERT", {"dim": 16, "hidden_dim": 32, "n_layers": 2, "n_heads": 2}),
    "roberta": Family("RoBERTa", tokenizer="roberta", reserved=2),
    "xlm-roberta": Family("XLM-RoBERTa", tokenizer="roberta", reserved=2),
    "camembert": Family("CamemBERT", tokenizer="roberta", reserved=2),
    "data2vec-text": Family("data2vec", tokenizer="roberta", reserved=2),
    "mpnet": Family("MPNet", tokenizer="roberta", reserved=2),
    "albert": Family("ALBERT", {**_PLAIN, "embedding_size": 16}),
    "electra": Family("ELECTRA", {**_PLAIN, "embedding_size": 8}),
    "ernie": Family("ERNIE"),
    "mobilebert": Family(
        "MobileBERT", {**_PLAIN, "embedding_size": 8, "intra_bottleneck_size": 16, "true_hidden_size": 16}
    ),
    "deberta": Family("DeBERTa", {**_DISTANCES, "pos_att_type": ["c2p", "p2c"]}),
    "deberta-v2": Family(
        "DeBERTa v2, v3",
        {
            **_DISTANCES,
            "pos_att_type": ["p2c", "c2p"],
            "position_buckets": 16,
            "share_att_key": True,
            "norm_rel_ebd": "layer_norm",
            "position_biased_input": False,
        },
    ),
    "modernbert": Family("ModernBERT", {**_PLAIN, "local_attention": 8, "global_attn_every_n_layers": 2}),
    "nomic_bert": Family("NomicBERT"),
    "jina_embeddings_v3": Family("Jina v3"),
    "eurobert": Family("EuroBERT", _GROUPED),
    "opt": Family("OPT", {**_PLAIN, "ffn_dim": 32, "word_embed_proj_dim": 16}, "opt"),
    "gpt2": Family("GPT-2", {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_inner": 32}, "opt"),
    "gpt_neo": Family(
        "GPT-Neo",
        {
            **{"hidden_size": 16, "num_layers": 2, "num_heads": 2, "intermediate_size": 32},
            "attention_types": [[["global", "local"], 1]],
        },
        "opt",
    ),
    "gpt_neox": Family("GPT-NeoX", tokenizer="opt"),
    "llama": Family("Llama", _GROUPED, "opt"),
    "mistral": Family("Mistral", {**_GROUPED, "sliding_window": 8}, "opt"),
    "qwen2": Family("Qwen2", _GROUPED, "opt"),
    "qwen3": Family("Qwen3", _GROUPED, "opt"),
    "gemma": Family("Gemma", _GROUPED, "opt"),
    "gemma2": Family("Gemma 2", {**_GROUPED, "sliding_window": 8}, "opt"),
    "starcoder2": Family("StarCoder2", {**_GROUPED, "sliding_window": 8}, "opt"),
    "t5": Family("T5, the encoder", _T5, "opt"),
    "mt5": Family("mT5, the encoder", _T5, "opt"),
    "bart": Family("BART, the encoder", _BART, "roberta"),
    "pegasus": Family("Pegasus, the encoder", {**_BART, "scale_embedding": True}, "opt"),
    "convbert": Family("ConvBERT", {**_PLAIN, "embedding_size": 16}),
    "fnet": Family("FNet"),
    "nystromformer": Family("Nyströmformer"),
    "longformer": Family("Longformer", {**_PLAIN, "attention_window": 8}, "roberta", 2),
    "flaubert": Family("FlauBERT", {"emb_dim": 16, "n_layers": 2, "n_heads": 2}),
    "mixtral": Family("Mixtral", {**_GROUPED, "num_local_experts": 2}, "opt"),
}
