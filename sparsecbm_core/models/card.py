"""The model card written beside every checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sparsecbm_core.concepts import ConceptSpace


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
        for key in ("concept_accuracy", "concept_macro_f1", "task_accuracy", "task_macro_f1", "ece"):
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
