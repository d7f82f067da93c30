"""What each matrix of an encoder's layer does, in the field's words, told by its name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

# The six of a plain transformer layer, in the order in which a text passes them.
ROLES = ("query", "key", "value", "attention output", "feed-forward in", "feed-forward out")
FEED_FORWARD = ("feed-forward in", "feed-forward out")
FUSED = "query, key and value"  # in one matrix, one above the other
GATE, GATE_AND_IN = "feed-forward gate", "feed-forward gate and in"

# Role → names that end in it, in the order in which a text passes a layer's matrices. "position" matrices
# read the distance between two tokens in place of a token (DeBERTa).
_ROLES = {
    "query": r"(^|\.)(query|q|q_lin|q_proj|query_proj)$",
    "key": r"(^|\.)(key|k|k_lin|k_proj|key_proj)$",
    "value": r"(^|\.)(value|v|v_lin|v_proj|value_proj)$",
    FUSED: r"(attn|attention)\.(self\.)?(Wqkv|in_proj|qkv_proj|query_key_value|c_attn)$",
    "position query": r"attention\.self\.(pos_q_proj|pos_query_proj)$",
    "position key": r"attention\.self\.(pos_proj|pos_key_proj)$",
    "attention output": (
        r"attention\.output\.dense$"
        r"|(?<!bottleneck)((^|_|\.)(attn|attention)|SelfAttention)\.(out_lin|out_proj|o_proj|Wo|o|dense|c_proj)$"
    ),
    GATE: r"mlp\.gate_proj$|DenseReluDense\.wi_0$",
    FEED_FORWARD[0]: (
        r"intermediate\.dense$|(^|\.)(lin1|fc1|ffn|up_proj|c_fc|fc_in|dense_h_to_4h)$|DenseReluDense\.wi(_1)?$"
    ),
    GATE_AND_IN: r"mlp\.(Wi|gate_up_proj)$",
    FEED_FORWARD[1]: (
        r"(?<!attention)(^|\.)output\.dense$|(^|\.)(lin2|fc2|ffn_output|down_proj|fc_out|dense_4h_to_h)$"
        r"|mlp\.(Wo|c_proj)$|DenseReluDense\.wo$"
    ),
}


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


def role_of(name: str) -> str | None:
    """What a matrix does in its layer; None where its name does not tell.

    >>> role_of("encoder.layer.0.attention.self.query"), role_of("mixer.dt_proj")
    ('query', None)
    """
    return next((role for role, pattern in _ROLES.items() if re.search(pattern, name)), None)


def roles_of(names: Iterable[str]) -> list[str]:
    """A role for each matrix of one layer, by its own name where that does not tell.

    No two are the same: of several with one role each gets a number (MobileBERT has four feed-forward parts).

    >>> roles_of(["ffn.0.intermediate.dense", "intermediate.dense", "conv"])
    ['feed-forward in 1', 'feed-forward in 2', 'conv']
    """
    roles = [role_of(name) or name for name in names]
    counts, seen = Counter(roles), Counter[str]()
    titles = []
    for role in roles:
        seen[role] += 1
        titles.append(role if counts[role] == 1 else f"{role} {seen[role]}")
    return titles


def role_order(role: str) -> tuple[int, str]:
    """Sorts roles by the way a text takes through a layer; those without a name of the field come last."""
    order = (*_ROLES,)
    plain = re.sub(r" \d+$", "", role)
    return (order.index(plain) if plain in order else len(order)), role
