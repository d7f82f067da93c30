"""The model card written beside every checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sparsecbm_core.concepts import ConceptSpace


def pathway_sentences(pathway: Mapping[str, Any], space: ConceptSpace) -> list[str]:
    """How far the last step, concept → label, can be trusted, in plain words: from the figures of
    `evaluate.pathway`."""
    silent, rest, labels = pathway["unmentioned_share"], pathway["rest_share"], pathway["label_accuracy"]
    found = [
        f"{_percent(silent)} of what moves the answer comes from concepts that the review does not mention: "
        "no such part is a reason."
        if silent
        else "A concept that the review does not mention adds nothing to the answer."
    ]
    if rest:
        found.append(f"{_percent(rest)} is carried by the rest of the review, which no concept names.")
    if pathway["locality"] is not None:
        edits = pathway["edits"]
        moves = f"{pathway['own_effect']:.2f} {space.label_unit}".strip()
        found.append(
            f"Where an edit changes one concept of a text, {_percent(pathway['locality'])} of what moves "
            f"among the concepts stays with it (by chance {_percent(edits['chance'])}); it moves the answer "
            f"by {moves}, in {edits['count']:,} edits."
        )
    read, right = labels["as_read"], labels["wrong_set_right"]
    helps = ": setting concepts right does not mend labels." if right < read else "."
    found.append(
        f"Labels are right in {_percent(read)} as the concepts are read, and in {_percent(right)} with every "
        f"wrong concept set right{helps}"
    )
    return found


def _trust(space: ConceptSpace, metrics: Mapping[str, Any]) -> list[str]:
    """The same of the first split that was measured."""
    for split, report in metrics.items():
        if report.get("pathway"):
            said = " ".join(pathway_sentences(report["pathway"], space))
            return [f"**How far the pathway can be trusted** (on {split}): {said}", ""]
    return []


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def model_card(space: ConceptSpace, training: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """Markdown: what the model is, what it was trained on, what it scores, where not to trust it."""
    settings: dict[str, Any] = training.get("settings", {})
    lines = [
        "---",
        "license: apache-2.0",
        "library_name: sparsecbm",
        "pipeline_tag: text-classification",
        "---",
        "",
        f"# {settings.get('kind', 'sparse')} concept bottleneck model",
        "",
        f"Concepts: {', '.join(space.concepts)}; states: {', '.join(space.states)}; "
        f"labels: {', '.join(space.labels)}.",
        "",
        *_trust(space, metrics),
        f"Trained on {training.get('data', '?')} {training.get('train_split', '?')} "
        f"({training.get('train_examples', '?')} examples), seed {settings.get('seed', '?')}, "
        f"encoder {settings.get('backbone') or '?'}. "
        "All settings are in `config.json`, all figures in `metrics.json`.",
    ]
    for split, report in metrics.items():
        lines += [
            "",
            f"## On {split} ({report['examples']} examples)",
            "",
            "| measure | value |",
            "|---|---|",
        ]
        for key in (
            "concept_accuracy",
            "concept_macro_f1",
            "task_accuracy",
            "task_macro_f1",
            "ece",
            "unfamiliar",
        ):
            if report.get(key) is not None:
                lines.append(f"| {key} | {report[key]:.4f} |")
        if report.get("sparsity"):
            sparsity = ", ".join(f"{name} {value:.4f}" for name, value in report["sparsity"].items())
            lines.append(f"| sparsity of {report['prunable_weights']:,} encoder weights | {sparsity} |")
        if report.get("jaccard"):
            overlap = report["jaccard"]
            lines.append(
                f"| mean Jaccard of masks (chance {overlap['chance']:.3f}) | {overlap['mean']:.4f} |"
            )
    lines += [
        "",
        "## Limits",
        "",
        "Masks cover the linear weights of the encoder layers; embeddings, LayerNorms and biases are "
        "dense and shared. Activations carry more than the concept states (see `leakage`). Token scores "
        "of a concept that the text does not mention say little.",
        "",
    ]
    return "\n".join(lines)
