"""Settings as frozen dataclasses, validated once where they are made, saved with the model."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from sparsecbm_core.errors import InputError, SettingsError, one_of

HEAD_KINDS = ("sequential", "independent")  # their label head is trained after the concepts
KINDS = ("standard", "cbm", *HEAD_KINDS, "sparse")
CRITERIA = ("second_order", "diagonal_fisher", "wanda", "magnitude", "random", "structured")
SCOPES = ("global", "matrix")
METHODS = ("gradual", "partition")
HEADS = HONEST, PAPER = "honest", "paper"  # what stands between concepts and label
RESTS = ("on_top", "joint", "none")
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class PruneSettings:
    """How the masks are found (paper, Appendix C).

    ``sparsity`` is s, ``num_grads`` m gradients of ``grad_batch_size`` reviews each, ``block_size``
    B, ``damp`` ζ. The sparsity rises on a cubic schedule in ``updates`` steps inside the first
    ``schedule_share`` of the sparse phase. ``exclusivity`` is λ: 0 is the paper's recipe, larger
    values push the concepts' subnetworks apart. ``scope`` ranks weights over the whole encoder
    or within each matrix, whatever the ``criterion``. Of the criteria "second_order" is the paper's
    and "structured" the same for whole output neurons; "wanda" reads ``num_grads`` batches as well, the
    inputs of the layers instead of gradients.

    ``method`` "gradual" is all of this. "partition" makes the masks at once and disjoint: whole attention
    dimensions and feed-forward neurons go to one concept each, by the criterion's scores, and the weights
    are then solved for so that each subnetwork computes what the dense model did on
    ``calibration_reviews`` training reviews (`pruning.partition`, `pruning.compensate`).
    """

    sparsity: float = 0.8
    criterion: str = "second_order"
    scope: str = "global"
    exclusivity: float = 0.8
    updates: int = 6
    schedule_share: float = 0.6
    num_grads: int = 64
    grad_batch_size: int = 16
    block_size: int = 32
    damp: float = 1e-7
    method: str = "gradual"
    calibration_reviews: int = 400

    def __post_init__(self) -> None:
        _member(self.method, METHODS, "method")
        _member(self.criterion, CRITERIA, "criterion")
        _member(self.scope, SCOPES, "scope")
        _range("sparsity", self.sparsity, 0.0, 1.0, upper_open=True)
        _range("exclusivity", self.exclusivity, 0.0, 1.0)
        _range("schedule_share", self.schedule_share, 0.0, 1.0, lower_open=True)
        for name in ("updates", "num_grads", "grad_batch_size", "block_size", "calibration_reviews"):
            _at_least(name, getattr(self, name), 1)
        _positive("damp", self.damp)


@dataclass(frozen=True)
class TrainSettings:
    """Everything that decides a trained model, given the data.

    ``kind``: "standard" (encoder and linear head), "cbm" (dense joint concept bottleneck),
    "sequential" and "independent" (dense, but trained on concepts alone for ``dense_epochs``; the label
    head then learns for ``head_epochs`` from the predicted activations, or from the annotated states) or
    "sparse" (SparseCBM: the dense CBM for ``dense_epochs``, then ``sparse_epochs`` under masks).
    ``head`` is what stands between concepts and label: "honest" (`models.honest_cbm`) or "paper" (Eq. 3 with
    sigmoid activations and free weights), which "sequential" and "independent" have whatever it says.
    Of the honest head, ``rest`` says how the part that no concept carries is learned: "on_top" of what the
    concepts carry alone, "joint" with them, or "none", and ``rest_penalty`` weighs, where it is "on_top" and
    labels have an order, how far it moves the expected label of texts that mention a concept. ``locality``
    weighs the loss that keeps what an edit of one concept adds to the others (`training.pathway`),
    ``interventions`` the task losses with concepts set to states that the annotators gave them.
    ``task_on_states`` is the share of the task loss's gradient that reaches what a concept is read as: with
    1, as in the paper, general praise is read as praise of whatever concept carries the label; with 0 states
    are learned from concept labels alone.
    ``gamma`` is γ, the weight of the concept loss, which is summed over concepts (Eq. 2).
    ``soft_concepts`` mixes the annotators' vote shares into the concept targets: 0 majority only,
    1 votes only. ``distillation`` is the share of the dense model's own predictions in the targets
    of the sparse phase, of concepts and labels alike; only "sparse" has it. ``soft_labels`` mixes the
    annotators' vote shares into the label targets, where the data has them. ``weight_average`` is the
    decay of an exponential moving average of the weights, which is then what is measured and kept; 0 for
    none. ``swap_loss`` weighs, in the sparse phase, a loss that keeps concept k from being read off another
    concept's subnetwork (`training.losses.swap_loss`). ``dropout`` None keeps the backbone's own.
    ``long_reviews`` adds so many times as many reviews, each of several that go together, for models that
    are to read more than a paragraph, and ``made_edits`` so many times as many edits of one concept, for
    data that has none (`data.made`).
    ``precision`` "auto" takes bfloat16 where the processor multiplies it in hardware.
    """

    backbone: str
    kind: str = "sparse"
    head: str = HONEST
    seed: int = 0
    dense_epochs: int = 7
    sparse_epochs: int = 5
    head_epochs: int = 20
    batch_size: int = 16
    max_length: int = 256
    gamma: float = 1.0
    encoder_lr: float = 1e-4
    sparse_encoder_lr: float = 8e-5
    projector_lr: float = 5e-3
    classifier_lr: float = 3e-2
    warmup_share: float = 0.06
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    dropout: float | None = None
    soft_concepts: float = 0.0
    soft_labels: float = 0.0
    distillation: float = 0.0
    swap_loss: float = 0.0
    locality: float = 0.15
    interventions: float = 0.5
    task_on_states: float = 0.0
    rest: str = "on_top"
    rest_penalty: float = 1.6
    weight_average: float = 0.0
    long_reviews: float = 0.0
    made_edits: float = 0.0
    precision: str = "auto"
    prune: PruneSettings = field(default_factory=PruneSettings)

    def __post_init__(self) -> None:
        _member(self.kind, KINDS, "kind")
        _member(self.head, HEADS, "head")
        _member(self.rest, RESTS, "rest")
        _member(self.precision, PRECISIONS, "precision")
        for name in ("dense_epochs", "sparse_epochs", "head_epochs", "seed"):
            _at_least(name, getattr(self, name), 0)
        _at_least("batch_size", self.batch_size, 1)
        _at_least("max_length", self.max_length, 8)
        if not isinstance(self.backbone, str) or not self.backbone.strip():
            raise SettingsError(f"backbone must be a model's name or folder, got {self.backbone!r}")
        if self.seed >= 2**32:
            raise SettingsError(f"seed must be below 2**32, got {self.seed}")
        for name in (
            "gamma",
            "weight_decay",
            "swap_loss",
            "locality",
            "interventions",
            "rest_penalty",
            "long_reviews",
            "made_edits",
        ):
            if not (_is_number(getattr(self, name)) and 0 <= getattr(self, name) < math.inf):
                raise SettingsError(f"{name} must be finite and not negative, got {getattr(self, name)!r}")
        for name in ("encoder_lr", "sparse_encoder_lr", "projector_lr", "classifier_lr", "max_grad_norm"):
            _positive(name, getattr(self, name))
        _range("warmup_share", self.warmup_share, 0.0, 1.0)
        _range("task_on_states", self.task_on_states, 0.0, 1.0)
        _range("soft_concepts", self.soft_concepts, 0.0, 1.0)
        _range("soft_labels", self.soft_labels, 0.0, 1.0)
        _range("distillation", self.distillation, 0.0, 1.0)
        _range("weight_average", self.weight_average, 0.0, 1.0, upper_open=True)
        if self.dropout is not None:
            _range("dropout", self.dropout, 0.0, 1.0, upper_open=True)
        if not isinstance(self.prune, PruneSettings):
            raise SettingsError(f"prune must be pruning settings, got {self.prune!r}")
        for name in ("distillation", "swap_loss"):
            if self.kind != "sparse" and getattr(self, name):
                raise SettingsError(f"{name} needs kind 'sparse', got kind {self.kind!r}")
        if self.kind == "sparse" and self.sparse_epochs < 1:
            raise SettingsError("kind 'sparse' needs at least one sparse epoch")
        if self.kind != "sparse" and self.dense_epochs < 1:
            raise SettingsError(f"kind {self.kind!r} needs at least one dense epoch")
        if self.kind in HEAD_KINDS and self.head_epochs < 1:
            raise SettingsError(f"kind {self.kind!r} needs at least one head epoch")

    @property
    def trained_head(self) -> str | None:
        """The head that the run trains; None without concepts."""
        if self.kind == "standard":
            return None
        return PAPER if self.kind in HEAD_KINDS else self.head

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def applied(self, from_model: bool = False) -> dict[str, Any]:
        """As `to_dict`, with None for what decided nothing: settings of a phase, an encoder or a head that
        the run did not have. ``from_model``: it began with another model in place of the dense phase."""
        unused: set[str] = set()
        if from_model:
            unused |= {"backbone", "dense_epochs"}
        if from_model or not self.dense_epochs:
            unused |= {"encoder_lr"}
        if self.kind != "sparse":
            unused |= {"sparse_epochs", "sparse_encoder_lr", "distillation", "swap_loss", "prune"}
        if self.kind == "standard":
            unused |= {"gamma", "classifier_lr", "soft_concepts"}
        if self.trained_head != HONEST:
            unused |= {"locality", "interventions", "task_on_states", "rest", "rest_penalty"}
        if self.kind in HEAD_KINDS:
            unused |= {"gamma"}
            if from_model:
                unused |= {"projector_lr", "dropout"}  # the concepts were learned before
                unused |= {"soft_concepts"} if self.kind == "sequential" else set()
        else:
            unused |= {"head_epochs"}
        values = {**self.to_dict(), "head": self.trained_head}
        return {name: None if name in unused else value for name, value in values.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TrainSettings:
        values = _known(cls, data)
        if isinstance(values.get("prune"), Mapping):
            values["prune"] = PruneSettings(**_known(PruneSettings, values["prune"]))
        if "backbone" not in values:
            raise SettingsError("backbone must be given: a model's name or folder")
        return cls(**values)


def assigned(assignments: Iterable[str], names: Collection[str]) -> dict[str, Any]:
    """Values from ``name=value`` pairs, read as JSON where they are that and as text otherwise.

    Raises `InputError` for a name that is not one of ``names``.

    >>> assigned(["damp=1e-6", "scope=global"], ("damp", "scope"))
    {'damp': 1e-06, 'scope': 'global'}
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        name, separator, raw = assignment.partition("=")
        if not separator or name not in names:
            raise InputError(one_of(assignment, sorted(names), "setting (as name=value)"))
        try:
            values[name] = json.loads(raw)
        except ValueError:
            values[name] = raw
    return values


def _known(cls: type[TrainSettings] | type[PruneSettings], data: Mapping[str, Any]) -> dict[str, Any]:
    names = {item.name for item in fields(cls)}
    for name in data:
        if name not in names:
            raise SettingsError(one_of(name, sorted(names), "setting"))
    return dict(data)


def _member(value: str, allowed: tuple[str, ...], what: str) -> None:
    if value not in allowed:
        raise SettingsError(one_of(value, allowed, what))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _at_least(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SettingsError(f"{name} must be a whole number of at least {least}, got {value!r}")


def _positive(name: str, value: float) -> None:
    if not (_is_number(value) and 0 < value < math.inf):
        raise SettingsError(f"{name} must be positive and finite, got {value!r}")


def _range(
    name: str, value: float, low: float, high: float, lower_open: bool = False, upper_open: bool = False
) -> None:
    inside = (
        _is_number(value)
        and (low < value if lower_open else low <= value)
        and (value < high if upper_open else value <= high)
    )
    if not inside:
        left, right = "(" if lower_open else "[", ")" if upper_open else "]"
        raise SettingsError(f"{name} must lie in {left}{low:g}, {high:g}{right}, got {value!r}")
