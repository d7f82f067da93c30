"""Reviews of a few words whose concepts and label follow from the words, and runs short enough to test."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, PreTrainedModel

from sparsecbm_core.concepts import ConceptSpace
from sparsecbm_core.config import PruneSettings, TrainSettings
from sparsecbm_core.data.types import Example, LoadReport, ReviewDataset
from sparsecbm_core.models.concept_model import ConceptModel
from tests.tiny import REVIEW, SPACE, encoder_config, make_tiny, tiny

# concept → a phrase for each state (Negative, Positive, unknown)
PHRASES = {
    "food": ("the soup was cold", "the food was great", ""),
    "service": ("the waiters were rude", "the waiters were friendly", ""),
    "noise": ("the music was too loud", "the music was slow", ""),
}


def make_example(number: int, concepts: tuple[int, ...], label: int, **values: Any) -> Example:
    parts = [PHRASES[name][state] for name, state in zip(SPACE.concepts, concepts, strict=True)]
    return Example(
        str(number),
        " and ".join(part for part in parts if part) or "we had dessert",
        label,
        concepts,
        **values,
    )


def toy_reviews(
    count: int, split: str = "train", seed: int = 0, space: ConceptSpace = SPACE
) -> ReviewDataset:
    """Random states; one star, one more for each positive concept."""
    rng = random.Random(f"{split} {seed}")
    examples = []
    for number in range(count):
        concepts = tuple(rng.randrange(3) for _ in space.concepts)
        examples.append(make_example(number, concepts, sum(state == 1 for state in concepts)))
    return dataset(examples, split, space)


def second_state(model: ConceptModel, concept: str, text: str = REVIEW) -> str:
    """The likeliest state of ``concept`` that the model does not see."""
    logits = model.predict([text]).concept_logits
    assert logits is not None
    second = logits[0, model.space.concept_index(concept)].argsort(descending=True)[1]
    return model.space.states[int(second)]


def dataset(examples: list[Example], split: str = "dev", space: ConceptSpace = SPACE) -> ReviewDataset:
    return ReviewDataset("toy", split, space, tuple(examples), LoadReport((), len(examples), len(examples)))


def save_backbone(folder: Path, arch: str = "bert", seed: int = 0) -> str:
    """A tiny pretrained encoder with its tokenizer, in the form that is loaded by folder."""
    model = make_tiny(arch, seed)
    model.network.encoder.save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return str(folder)


def save_whole(folder: Path, arch: str) -> PreTrainedModel:
    """As `save_backbone`, as it comes from a hub: with its decoder, and GPT-2 with its own kind of layers."""
    values = encoder_config(arch, tiny(arch).tokenizer)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModel.from_config(AutoConfig.for_model(values.pop("model_type"), **values)).eval()
    model.save_pretrained(folder)
    tiny(arch).tokenizer.save_pretrained(folder)
    return model


def quick_settings(backbone: str, prune: dict[str, Any] | None = None, **values: Any) -> TrainSettings:
    """A run of seconds, in full precision wherever it runs, of the paper's head unless another is named."""
    pruning = {
        "sparsity": 0.75,
        "num_grads": 4,
        "grad_batch_size": 4,
        "block_size": 8,
        "updates": 3,
        **(prune or {}),
    }
    quick = {
        "head": "paper",
        "dense_epochs": 2,
        "sparse_epochs": 2,
        "batch_size": 8,
        "max_length": 32,
        "encoder_lr": 1e-3,
        "sparse_encoder_lr": 1e-3,
        "precision": "float32",
    }
    return TrainSettings(backbone, **{**quick, **values}, prune=PruneSettings(**pruning))


def read_log(output: Path) -> list[dict[str, Any]]:
    """The run's log without what differs from run to run: the times."""
    lines = (output / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [_timeless(json.loads(line)) for line in lines]


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if key not in ("time", "seconds")}
    return value


def write_cebab(folder: Path, **counts: int) -> Path:
    """Splits in CEBaB's own form, e.g. ``train=24, dev=12``; stars follow from food."""
    rng = random.Random(0)
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in counts.items():
        rows = []
        for number in range(count):
            state = rng.randrange(3)
            row: dict[str, Any] = {
                "id": f"{number:06}_000000",
                "original_id": f"{number:06}",
                "is_original": True,
                "edit_goal": None,
                "edit_type": None,
                "description": f"{split} {number}: {PHRASES['food'][state] or 'we had dessert'}",
                "review_majority": ("1", "5", "3")[state],
            }
            for concept in ("food", "ambiance", "service", "noise"):
                row[f"{concept}_aspect_majority"] = ("Negative", "Positive", "")[
                    state if concept == "food" else 2
                ]
                row[f"{concept}_aspect_label_distribution"] = ""
            rows.append(row)
        (folder / f"{split}.json").write_text(json.dumps(rows), encoding="utf-8")
    return folder
