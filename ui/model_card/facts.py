"""What the model is made of, how it was trained, and when not to trust it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sparsecbm_core.config import HONEST
from sparsecbm_core.errors import SparseCBMError
from sparsecbm_core.figures import precise_percent
from sparsecbm_core.version import __version__
from ui.model_card.doubt import Doubt
from ui.model_card.doubts import doubts
from ui.model_card.metrics import GUARD, Report, number, of_another_model, reports, split_title
from ui.resources import models
from ui.resources.known import DATA, ENCODERS, Source, data_names, encoder_name
from ui.resources.models import ModelCard
from ui.resources.subnetworks import stats_of
from ui.text import plain
from ui.widgets import layout, subnetworks
from ui.widgets.table import table

if TYPE_CHECKING:
    from sparsecbm_core.evaluate.trust.results import ModelReport
    from sparsecbm_core.explain.subnetworks import SubnetworkStats

KINDS = {
    "sparse": "Reads {k} concepts from a text, each through a subnetwork of its own, and adds up a label "
    "from them: a sparse concept bottleneck model.",
    "cbm": "Reads {k} concepts from a text, all through the whole encoder, and adds up a label from them: a "
    "dense concept bottleneck model.",
}


def about(info: ModelCard) -> str:
    """What kind of model it is, in a sentence."""
    return KINDS.get(info.kind, KINDS["cbm"]).format(k=info.space.num_concepts)


def from_model(
    info: ModelCard, found: Mapping[str, Report], facts: DeltaGenerator, overlap: DeltaGenerator | None
) -> None:
    """Fill in what the model itself must be loaded for: its fingerprint, and how its subnetworks overlap."""
    made_of(info, facts, "…")
    try:
        model = models.model(info)
    except SparseCBMError as error:
        made_of(info, facts, "unknown, the model cannot be loaded")
        st.error(plain(str(error)), icon=":material/error:")
        return
    made_of(info, facts, model.fingerprint, of_another_model(found, model.fingerprint))
    stats = stats_of(model)
    if overlap is not None and stats is not None:
        with overlap.container():
            subnetworks.overlap(stats, model.space)


def known(info: ModelCard) -> tuple[str, SubnetworkStats | None]:
    """What only the model itself knows, in words and numbers: its fingerprint, and its subnetworks."""
    try:
        model = models.model(info)
    except SparseCBMError:
        return "unknown, the model cannot be loaded", None
    return model.fingerprint, stats_of(model)


def origins(info: ModelCard) -> list[tuple[str, Source | None, object]]:
    """What the model was made of: a heading, what is known of the source, and its name."""
    encoder = encoder_name(info.training)
    found: list[tuple[str, Source | None, object]] = [("Encoder", ENCODERS.get(encoder or ""), encoder)]
    for name in data_names(info.training):
        found.append(("and on" if found[1:] else "Trained on", DATA.get(name), name))
    return found if found[1:] else [*found, ("Trained on", None, None)]


def versions(info: ModelCard) -> str:
    """Of this app, and of the one that wrote the model where its folder names another."""
    same = info.version in (None, __version__)
    return f"version {__version__}" + ("" if same else f"; the model was written by version {info.version}")


def made_of(
    info: ModelCard, place: DeltaGenerator, fingerprint: str, doubtful: list[str] | None = None
) -> None:
    """Encoder, data, licences and fingerprint, in one short list."""
    rows = [(heading, _source(known, name)) for heading, known, name in origins(info)]
    rows.append(("Fingerprint", f"`{fingerprint}`" if fingerprint.isalnum() else plain(fingerprint)))
    rows.append(("SparseCBM Explorer", versions(info)))
    with place.container():
        st.markdown("  \n".join(f"{name}: {value}" for name, value in rows))
        if doubtful:
            names = ", ".join(split_title(split) for split in doubtful)
            st.warning(
                f"Measured on another model than this one: {plain(names)}. Measure again before you rely "
                "on it.",
                icon=":material/warning:",
            )


def _source(known: Source | None, name: object) -> str:
    if known is not None:
        name = f"[{plain(known.name)}]({known.home})" if known.home else plain(known.name)
        return f"{name}, {known.licence}"
    return f"{plain(str(name))}, licence not recorded" if name else "not recorded"


def training(info: ModelCard) -> None:
    if not info.training:
        return
    count = info.training.get("train_examples")
    reviews = f"{count:,} reviews" if isinstance(count, int) else "an unknown number of reviews"
    source = " ".join(str(info.training[name]) for name in ("data", "train_split") if info.training.get(name))
    layout.section("How it was trained", f"On {source or 'unnamed data'}, {reviews}.")
    table(setting_rows(info), "training", "All settings of the training run", "All settings")


def setting_rows(info: ModelCard) -> list[dict[str, str]]:
    """Every setting that decided something: what has no value did not apply."""
    settings = dict(info.training.get("settings") or {})
    prune = settings.pop("prune", None)
    unused: set[str] = set()
    if info.training.get("init"):
        # The dense phase was another run's.
        unused |= {"backbone", "dense_epochs", "encoder_lr"}
    if info.kind != "sparse":
        unused |= {"sparse_epochs", "sparse_encoder_lr", "distillation"}
    rows = {name: value for name, value in settings.items() if name not in unused}
    if isinstance(prune, Mapping) and info.kind == "sparse":
        rows |= {f"subnetworks: {name}": value for name, value in prune.items()}
    rows |= {name: value for name, value in info.training.items() if name != "settings"}
    return [
        {"setting": name.replace("_", " "), "value": _value(value)}
        for name, value in rows.items()
        if value is not None
    ]


def _value(value: Any) -> str:
    if isinstance(value, Mapping):  # another model: its fingerprint says which
        return str(value.get("fingerprint") or value.get("name") or "another model")
    if isinstance(value, str) and "/" in value:
        return value.rstrip("/").rsplit("/", 1)[-1]  # a name, not where a folder once was
    return str(value)


def limits(info: ModelCard, evaluation: ModelReport | None = None) -> None:
    """The model's own weak results first, then what holds for any such model.

    With an ``evaluation`` what was measured comes in place of what is only expected.
    """
    weak = weak_results(reports(info.metrics))
    layout.section("When not to trust it")
    if evaluation is None:
        _list([*weak, *general(info), *EXPECTED, OVERRIDES])
        return
    measured = [*weak, *doubts(evaluation, info.space)]
    if not measured:
        layout.lead(NO_DOUBT)
    _list(measured)
    with st.expander("True of every such model", type="compact"):
        _list([*general(info), OVERRIDES])


def _list(lines: Sequence[Doubt]) -> None:
    if lines:
        st.markdown("\n".join(f"- **{plain(line.about)}** {plain(line.text)}" for line in lines))


NO_DOUBT = "None of the figures measured here crosses the line of a warning."
OVERRIDES = Doubt(
    "Set by hand.", "Setting a concept by hand answers “what if” and changes nothing in the model."
)
# Not measured, but known of models like this.
EXPECTED = (
    Doubt(
        "Words of what is not mentioned.",
        "Scores of single words say little where a concept is not mentioned; the app then leaves them "
        "uncoloured.",
    ),
    Doubt(
        "Sarcasm and negation.",
        "Both are rare in such data; look at the words that matter before you believe the label.",
    ),
)


def general(info: ModelCard) -> list[Doubt]:
    """What follows from how such a model is made."""
    data = " and ".join(data_names(info.training))
    learnt = f"It learnt from {data} and nothing else. " if data else ""
    honest = (info.training.get("settings") or {}).get("head") == HONEST
    return [
        Doubt(
            "Other texts.",
            f"{learnt}On another subject, another language or a much longer text it still answers, and may "
            "be wrong and sure at once.",
        ),
        Doubt(
            "What the concepts leave out.",
            "Anything else that a reader would weigh, general praise or the price, moves the answer as one "
            "part, the rest of the review, which names no reason."
            if honest
            else "The label is a sum over its concepts. Anything else that a reader would weigh can only "
            "slip in through them.",
        ),
    ]


def weak_results(found: Mapping[str, Report]) -> list[Doubt]:
    """Where the model did worst, in its own figures."""
    guard = found.get(GUARD, {})
    label, concept, gap = (number(guard, name) for name in ("task_accuracy", "concept_accuracy", "ece"))
    if label is None:
        return []
    count = number(guard, "examples")
    reviews = f"the {count:,.0f} guard reviews" if count is not None else "the guard reviews"
    concepts = f" and {precise_percent(concept)} of the concepts" if concept is not None else ""
    sure = f"; how sure it is misses how often it is right by {precise_percent(gap)}" if gap else ""
    line = f"On {reviews} it gets {precise_percent(label)} of the labels{concepts} right{sure}."
    best = max(
        (
            value
            for name, report in found.items()
            if name != GUARD and (value := number(report, "task_accuracy"))
        ),
        default=None,
    )
    if best is not None and best > label:
        line += f" On data like that it was trained on it gets {precise_percent(best)} of the labels."
    return [
        Doubt(
            "Reviews unlike its training data.",
            f"{line} These reviews were composed with the help of a language model and checked by the same "
            "kind of reader; they are wordier and more pointed than everyday ones.",
        )
    ]
