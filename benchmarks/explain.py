"""How long an explanation takes, and how much memory, beside the published way and the dense model.

    python benchmarks/explain.py --model FOLDER --output explain.json

One review, one process, the same number of threads for all. Measured:

ours       label, all K concepts and gradient token scores of all K, in one pass through the
           effective weights made once when the model is loaded
published  K passes padded to 512 tokens, each multiplying its masks into the weights anew, each
           forward and backward to the embeddings
dense      K times the dense model's own forward and backward pass, unpadded
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from sparsecbm_core.models.concept_model import ConceptModel

REVIEW = (
    "The soup was cold and bland, and the pasta came out twenty minutes after everyone else had finished. "
    "Our waiter apologised, but the music was so loud that we could hardly hear him."
)
PUBLISHED_LENGTH = 512
TARGETS = {"published / ours": 15.0, "ours / dense": 0.7, "peak RSS (GB)": 1.2}


def published(model: ConceptModel, text: str) -> Callable[[], None]:
    """The released code's way: a pass per concept over 512 positions, masks multiplied in each."""
    import torch

    from sparsecbm_core.data.batches import collate
    from sparsecbm_core.models.subnetworks import ConceptWeights, EffectiveWeights, active

    network, masks = model.cbm, model.masks
    if masks is None:
        raise SystemExit("the published way needs a sparse model")
    bits = {name: masks.to_torch(name).float() for name in masks.shapes}  # (K, O, I)
    pad_id = int(model.tokenizer.pad_token_id)

    def run() -> None:
        batch = collate(model.encode([text]), pad_id)
        length = min(PUBLISHED_LENGTH, network.encoder.config.max_position_embeddings)
        extra = (0, length - batch.input_ids.shape[1])
        ids = torch.nn.functional.pad(batch.input_ids, extra, value=pad_id)
        attention = torch.nn.functional.pad(batch.attention_mask, extra)
        for k, concept in enumerate(masks.concepts):
            matrices = {
                name: ConceptWeights((bits[name][k] * layer.weight)[None])
                for name, layer in network.masked_layers.items()
            }
            weights = EffectiveWeights((concept,), matrices)
            embeds = network.embed(ids).detach().requires_grad_()
            with active(weights):
                hidden = network.encoder(inputs_embeds=embeds, attention_mask=attention).last_hidden_state
            backward(network, hidden.mean(1), embeds, k)

    return run


def dense(model: ConceptModel, text: str) -> Callable[[], None]:
    """K times forward and backward through the dense encoder."""
    import torch

    network = model.cbm

    def run() -> None:
        ids = torch.tensor([model.encode([text])[0].ids])
        mask = torch.ones_like(ids)
        for k in range(model.space.num_concepts):
            embeds = network.embed(ids).detach().requires_grad_()
            hidden = network.encoder(inputs_embeds=embeds, attention_mask=mask).last_hidden_state
            backward(network, hidden.mean(1), embeds, k)

    return run


def backward(network: Any, pooled: Any, embeds: Any, k: int) -> None:
    """The gradient of concept k's largest logit, and its norm per token."""
    import torch

    logits = pooled @ network.projector[k].T + network.projector_bias[k]  # (1, C)
    (gradient,) = torch.autograd.grad(logits.max(), embeds)
    gradient.norm(dim=-1)


def medians(ways: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Median seconds of each; taken in turns, so that a busy machine slows all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for run in ways.values():
        run()
    for _ in range(repeats):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def random_model() -> ConceptModel:
    """An untrained encoder of the size of all-MiniLM-L6-v2 under random 25 % masks."""
    import numpy as np
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    from sparsecbm_core.concepts import CEBAB
    from sparsecbm_core.models.backbone import build_backbone
    from sparsecbm_core.models.concept_model import ConceptModel
    from sparsecbm_core.models.masks import MaskSet
    from sparsecbm_core.models.sparse_cbm import SparseCBM

    torch.manual_seed(0)
    encoder = build_backbone(
        {
            "model_type": "bert",
            "hidden_size": 384,
            "num_hidden_layers": 6,
            "num_attention_heads": 12,
            "intermediate_size": 1536,
            "vocab_size": 30522,
        }
    )
    network = SparseCBM(encoder, CEBAB).eval().requires_grad_(False)
    generator = np.random.default_rng(0)
    shapes = {name: (CEBAB.num_concepts, *shape) for name, shape in network.mask_shapes.items()}
    masks = MaskSet.from_bool(
        CEBAB.concepts, {name: generator.random(shape) < 0.25 for name, shape in shapes.items()}
    )
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *sorted(set(re.findall(r"\w+|[^\w\s]", REVIEW.lower())))]
    backend = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]")
    return ConceptModel(network, tokenizer, masks, 512, name="random, MiniLM size")


def peak_memory(folder: str, text: str, threads: int) -> dict[str, float]:
    """Peak resident memory in GB of fresh processes that load a model and explain one review."""
    peaks = {}
    for method in ("gradient", "integrated_gradients"):
        command = [sys.executable, __file__, "--child", method, "--model", folder, "--text", text]
        result = subprocess.run(
            [*command, "--threads", str(threads)], capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise SystemExit(f"the memory measurement failed:\n{result.stderr}")
        peaks[method] = float(result.stdout.split()[-1])
    return peaks


def child(folder: str, text: str, method: str) -> None:
    """Load, explain, print the peak."""
    from sparsecbm_core.explain import explain
    from sparsecbm_core.models.concept_model import ConceptModel

    explain(ConceptModel.from_pretrained(folder, "cpu"), text, method)
    print(own_peak())


def own_peak() -> float:
    """This process's peak resident memory in GB.

    Linux counts the parent's memory at the fork into getrusage, so its status file goes first.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        match = re.search(r"VmHWM:\s*(\d+) kB", status.read_text(encoding="utf-8"))
        if match:
            return int(match[1]) * 1024 / 1e9
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e9 if sys.platform == "darwin" else peak * 1024 / 1e9


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def measure(model: ConceptModel, folder: str | None, text: str, repeats: int) -> dict[str, Any]:
    import torch

    from sparsecbm_core.explain import explain

    threads = torch.get_num_threads()
    _ = model.weights, model.fingerprint  # made once, when a model is loaded
    seconds = medians(
        {
            "ours": lambda: explain(model, text, "gradient"),
            "published": published(model, text),
            "dense": dense(model, text),
        },
        repeats,
    )
    extra = medians(
        {
            "label and concepts only": lambda: explain(model, text, None),
            "integrated gradients, 32 steps": lambda: explain(model, text, "integrated_gradients"),
            "leave one out": lambda: explain(model, text, "occlusion"),
        },
        max(1, repeats // 5),
    )
    with tempfile.TemporaryDirectory() as temporary:
        if folder is None:
            folder = str(Path(temporary) / "model")
            model.save_pretrained(folder)
        peaks = peak_memory(folder, text, threads)
    return {
        "model": model.name,
        "tokens": len(model.encode([text])[0].ids),
        "concepts": model.space.num_concepts,
        "milliseconds": {name: 1000 * value for name, value in {**seconds, **extra}.items()},
        "ratios": {
            "published / ours": seconds["published"] / seconds["ours"],
            "ours / dense": seconds["ours"] / seconds["dense"],
        },
        "peak_rss_gb": peaks,
        "targets": TARGETS,
        "repeats": repeats,
        "threads": threads,
        "torch": torch.__version__,
        "processor": processor(),
        "load_average": os.getloadavg()[0],
    }


def show(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"{result['model']}: {result['tokens']} tokens, {result['concepts']} concepts, "
        f"{result['threads']} thread(s), median of {result['repeats']}"
    )
    for column in ("what", "measured", "target"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for name, value in result["milliseconds"].items():
        table.add_row(name, f"{value:,.1f} ms", "")
    table.add_row("published / ours", f"{result['ratios']['published / ours']:.1f} ×", "≥ 15 ×")
    table.add_row("ours / dense", f"{result['ratios']['ours / dense']:.2f} ×", "≤ 0.70 ×")
    for name, value in result["peak_rss_gb"].items():
        table.add_row(f"peak memory, {name}", f"{value:.2f} GB", "≤ 1.20 GB")
    console = Console()
    console.print(table)
    machine = f"{result['processor']}, torch {result['torch']}"
    console.print(f"{machine}, load average {result['load_average']:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Time and memory of one explanation, beside two references.")
    parser.add_argument("--model", help="checkpoint folder; without, a random model of MiniLM's size")
    parser.add_argument("--text", default=REVIEW, help="the review to explain")
    parser.add_argument("--repeats", type=int, default=15, help="the median is taken over so many")
    parser.add_argument("--threads", type=int, help="threads of torch, for all alike")
    parser.add_argument("--output", type=Path, help="write the figures here as JSON")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()

    import torch

    if options.threads is not None:
        torch.set_num_threads(options.threads)
    if options.child:
        child(options.model, options.text, options.child)
        return
    from sparsecbm_core.models.concept_model import ConceptModel

    model = random_model() if options.model is None else ConceptModel.from_pretrained(options.model, "cpu")
    result = measure(model, options.model, options.text, options.repeats)
    show(result)
    if options.output is not None:
        options.output.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
