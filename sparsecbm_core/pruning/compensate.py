"""New weights for disjoint subnetworks, so that each computes what the dense model did.

A mask alone leaves a subnetwork with weights that were trained to work together with those taken away. The
paper's Eq. 10 (the weight update of Optimal Brain Surgeon) repairs that, but gives every concept weights of
its own; M_k ⊙ θ with one θ does not allow it where masks overlap. Disjoint masks do: every weight belongs to
one subnetwork, and all repairs fit into one θ. Here each matrix is solved whole, by least squares against
the outputs of the dense layer, in place of Eq. 10's one weight at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from sparsecbm_core.errors import SettingsError
from sparsecbm_core.models.backbone import layer_list
from sparsecbm_core.models.masks import MaskSet
from sparsecbm_core.models.roles import ROLES
from sparsecbm_core.models.sparse_cbm import SparseCBM
from sparsecbm_core.models.subnetworks import ConceptWeights, EffectiveWeights, active
from sparsecbm_core.progress import OnCount, unheard
from sparsecbm_core.pruning.rest import at_rest

RIDGE = 1e-2  # pull towards the dense weights, in units of the mean squared input
ROWS = 128  # systems solved at once
STAGES = (ROLES[:3], *((role,) for role in ROLES[3:]))  # matrices that read the same input

Tokens = tuple[torch.Tensor, torch.Tensor]  # ids and attention mask, (B, T) each


class _Found(Exception):
    """The input that was looked for has come by; the rest of the pass is not needed."""


@dataclass
class _Recorded:
    """A matrix that remembers what it read and wrote; with ``stop`` the pass ends at it."""

    weight: torch.Tensor
    inputs: list[torch.Tensor] = field(default_factory=list)
    outputs: list[torch.Tensor] = field(default_factory=list)
    stop: bool = False

    def linear(self, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        self.inputs.append(x)
        if self.stop:
            raise _Found
        y = F.linear(x, self.weight)
        self.outputs.append(y)
        return y if bias is None else y + bias

    def with_replaced(self, k: int, weight: torch.Tensor) -> _Recorded:
        raise SettingsError("a recorded matrix cannot be replaced")

    def only(self, k: int) -> _Recorded:
        return self


def compensate(
    model: SparseCBM,
    masks: MaskSet,
    batches: Sequence[Tokens],
    on_step: OnCount = unheard,
) -> dict[str, torch.Tensor]:
    """θ' (O, I) of every matrix: M_k ⊙ θ' writes, on what subnetwork k reads, nearly what dense θ wrote.

    Layer by layer, min over W_k supported on M_k of ‖X_k W_kᵀ − X Wᵀ‖² + ridge · ‖W_k − W‖², where X is what
    the dense layer reads in these ``batches`` and X_k what the subnetwork repaired so far reads. The model is
    left as it was. A weight of two subnetworks gets the mean of its two values.
    """
    _, layers = layer_list(model.encoder)
    names = {(info.layer, info.role): info.name for info in model.matrices}
    keep = [mask.bool() for _, mask in batches]
    theta: dict[str, torch.Tensor] = {}
    with at_rest(model), torch.no_grad():
        passes = _first_inputs(model, layers[0], batches)
        dense = [item.hidden for item in passes]
        hidden = [list(dense) for _ in masks.concepts]
        for number, layer in enumerate(layers):
            own = [names[number, role] for role in ROLES]
            record = {name: _Recorded(model.masked_layers[name].weight.detach()) for name in own}
            with active(EffectiveWeights(("dense",), record)):
                dense = [item.run(layer, x) for item, x in zip(passes, dense, strict=True)]
            written = {name: _tokens(item.outputs, keep) for name, item in record.items()}
            solved: dict[str, list[torch.Tensor]] = {name: [] for name in own}
            for k, concept in enumerate(masks.concepts):
                weights = {name: model.masked_layers[name].weight.detach() for name in own}
                for stage in STAGES:
                    stage_names = [names[number, role] for role in stage]
                    read = _stage_input(layer, passes, hidden[k], weights, stage_names[0], keep)
                    for name in stage_names:
                        mask = torch.from_numpy(masks.concept_bool(name, concept).copy()).to(read.device)
                        weights[name] = least_squares(read, written[name], mask, weights[name])
                        solved[name].append(weights[name])
                with active(_fixed(weights)):
                    hidden[k] = [item.run(layer, x) for item, x in zip(passes, hidden[k], strict=True)]
                on_step(number * len(masks.concepts) + k + 1, len(layers) * len(masks.concepts))
            for name in own:
                bits = masks.to_torch(name).to(solved[name][0].device)
                count = bits.sum(0).clamp(min=1)
                theta[name] = (torch.stack(solved[name]) * bits).sum(0) / count
    return theta


def check_layers(model: SparseCBM, batch: Tokens) -> None:
    """`SettingsError` where layers called one by one, as here, do not make what the encoder makes of them:
    T5's tell each other how far tokens are apart."""
    _, layers = layer_list(model.encoder)
    made: list[torch.Tensor] = []
    hook = layers[-1].register_forward_hook(lambda module, args, out: made.append(_hidden(out)))
    try:
        with at_rest(model), torch.no_grad(), active(None):
            model.pooled(model.embed(batch[0]), batch[1])
            (first,) = _first_inputs(model, layers[0], [batch])
            hidden = first.hidden
            for layer in layers:
                hidden = first.run(layer, hidden)
    finally:
        hook.remove()
    keep = batch[1].bool()
    whole = made[0].reshape(hidden.shape)[keep]
    if not torch.allclose(hidden[keep], whole, rtol=1e-3, atol=1e-4 * float(whole.abs().max())):
        raise SettingsError(
            f"the layers of {type(model.encoder).__name__} cannot be run one by one; a partition needs it, "
            "method gradual does not"
        )


def least_squares(
    x: torch.Tensor, y: torch.Tensor, mask: torch.Tensor, dense: torch.Tensor, ridge: float = RIDGE
) -> torch.Tensor:
    """W (O, I), zero outside ``mask`` (O, I), that writes ``y`` (N, O) from ``x`` (N, I) best.

    Minimises ‖x Wᵀ − y‖²/N + ridge · mean(x²) · ‖W − dense‖² over the weights kept, row by row.
    """
    gram, cross = x.T @ x / len(x), y.T @ x / len(x)  # (I, I), (O, I)
    pull = ridge * gram.diagonal().mean().clamp(min=1e-12)
    gram = gram + pull * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    cross, solved = cross + pull * dense, torch.zeros_like(dense)
    counts = mask.sum(1)
    whole = mask.any(0) if bool((mask == mask.any(0)).all(1)[counts > 0].all()) else None
    if whole is not None and bool(whole.any()):  # all rows that keep anything keep the same columns
        rows = (counts > 0).nonzero().flatten()
        columns = whole.nonzero().flatten()
        values = torch.linalg.solve(gram[columns][:, columns], cross[rows][:, columns].T).T
        solved[rows[:, None], columns] = values
        return solved
    for count in counts.unique().tolist():
        if not count:
            continue
        for rows in (counts == count).nonzero().flatten().split(ROWS):
            columns = mask[rows].nonzero()[:, 1].view(len(rows), count)
            systems = gram[columns[:, :, None], columns[:, None, :]]  # (R, count, count)
            right = cross[rows].gather(1, columns)[..., None]
            values = torch.cholesky_solve(right, torch.linalg.cholesky(systems))[..., 0]
            solved[rows] = solved[rows].scatter(1, columns, values)
    return solved


@dataclass(frozen=True)
class _Pass:
    """How the encoder calls its layers for one batch: the hidden states (B, T, E), and all else."""

    hidden: torch.Tensor
    rest: tuple[Any, ...]
    named: Mapping[str, Any]

    def run(self, layer: nn.Module, hidden: torch.Tensor) -> torch.Tensor:
        return _hidden(layer(hidden, *self.rest, **self.named))


def _hidden(out: Any) -> torch.Tensor:
    """The hidden states that a layer passes on, alone or with what else it tells."""
    return out[0] if isinstance(out, tuple) else out


def _first_inputs(model: SparseCBM, first: nn.Module, batches: Sequence[Tokens]) -> list[_Pass]:
    passes: list[_Pass] = []

    def catch(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        rest = {name: value for name, value in named.items() if name != "hidden_states"}
        hidden = args[0] if args else named["hidden_states"]
        passes.append(_Pass(hidden, args[1:], rest))
        raise _Found

    hook = first.register_forward_pre_hook(catch, with_kwargs=True)
    try:
        for ids, mask in batches:
            try:
                model.pooled(model.embed(ids), mask)
            except _Found:
                continue
    finally:
        hook.remove()
    return passes


def _stage_input(
    layer: nn.Module,
    passes: Sequence[_Pass],
    hidden: Sequence[torch.Tensor],
    weights: Mapping[str, torch.Tensor],
    name: str,
    keep: Sequence[torch.Tensor],
) -> torch.Tensor:
    """What the matrix ``name`` reads under ``weights``: (N, I) of all tokens that are not padding."""
    wanted = _Recorded(weights[name], stop=True)
    here = EffectiveWeights(("one",), {**_fixed(weights).matrices, name: wanted})
    for item, x in zip(passes, hidden, strict=True):
        try:
            with active(here):
                item.run(layer, x)
        except _Found:
            continue
    return _tokens(wanted.inputs, keep)


def _fixed(weights: Mapping[str, torch.Tensor]) -> EffectiveWeights:
    return EffectiveWeights(("one",), {name: ConceptWeights(w[None]) for name, w in weights.items()})


def _tokens(values: Sequence[torch.Tensor], keep: Sequence[torch.Tensor]) -> torch.Tensor:
    """(B, T, ·) of every batch → (N, ·) of its tokens; some encoders flatten (B, T) before a layer."""
    return torch.cat([x.reshape(*mask.shape, -1)[mask] for x, mask in zip(values, keep, strict=True)])
