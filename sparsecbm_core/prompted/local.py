"""A language model that runs here, by name or folder, through transformers."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sparsecbm_core.errors import InputError
from sparsecbm_core.prompted.client import Reply, Stopped
from sparsecbm_core.prompted.prompt import Message

BLANK_LINE = "\n\n"
_SAMPLED = 32  # numbers of each tensor that go into the fingerprint


class LocalGenerator:
    """Continues conversations with a causal language model, always with the likeliest token.

    A tokenizer's chat template is used where there is one; a model without is given plain text and
    stopped at the first blank line, since nothing tells it that its turn is over. Weights are read from
    safetensors alone, and remote code is never run. ``device`` None picks the best there is. One review at
    a time. Raises `InputError` where nothing loadable has that name.
    """

    concurrency = 1

    def __init__(self, name_or_folder: str, device: str | None = None, max_tokens: int = 256) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        from sparsecbm_core.models.backbone import one_line
        from sparsecbm_core.models.device import pick_device

        if max_tokens < 1:
            raise InputError(f"max_tokens must be at least 1, got {max_tokens}")
        self._device, self._max_tokens = pick_device(device), max_tokens
        self._tokenizer: Any
        network: Any
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(name_or_folder)
            network = AutoModelForCausalLM.from_pretrained(name_or_folder, dtype="auto", use_safetensors=True)
        # The libraries behind raise errors of many unrelated families (files, hub, configuration, tensors).
        except Exception as error:
            raise InputError(
                f"cannot load a language model from {name_or_folder!r}: {one_line(error)} (give a Hugging "
                "Face model name or a folder with config.json and model.safetensors)"
            ) from error
        self._network = network.to(self._device).eval().requires_grad_(False)
        self._chat = bool(self._tokenizer.chat_template)
        self._stops = [] if self._chat else _stops(self._tokenizer)
        # A folder's place on this machine is nobody's business in a result.
        self.model = Path(name_or_folder).resolve().name if Path(name_or_folder).is_dir() else name_or_folder
        self.host: str | None = None
        weights = _fingerprint(self._network)
        self.settings: Mapping[str, Any] = {"temperature": 0, "max_tokens": max_tokens, "weights": weights}

    def ask(self, messages: Sequence[Message], stop: threading.Event) -> Reply:
        """See `Client.ask`. A conversation longer than the model reads is an answer "too long"."""
        import torch
        from transformers import GenerationConfig

        if stop.is_set():
            raise Stopped
        ids = self._encode(messages).to(self._device)  # (1, T)
        room = getattr(self._network.config, "max_position_embeddings", None)
        if room is not None and ids.shape[1] + self._max_tokens > room:
            return Reply("", "context_length_exceeded", ids.shape[1], 0)
        ends = _ids(self._network.generation_config.eos_token_id) | _ids(self._tokenizer.eos_token_id)
        padding = self._tokenizer.pad_token_id
        greedy = GenerationConfig(
            do_sample=False,
            max_new_tokens=self._max_tokens,
            eos_token_id=sorted(ends) or None,
            pad_token_id=padding if padding is not None else min(ends, default=0),
        )
        with torch.inference_mode():
            made = self._network.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                generation_config=greedy,
                stopping_criteria=self._stops,
            )[0, ids.shape[1] :]
        text = self._tokenizer.decode(made, skip_special_tokens=True)
        answer, blank, _ = (text, "", "") if self._chat else text.partition(BLANK_LINE)
        cut = not blank and len(made) >= self._max_tokens and int(made[-1]) not in ends
        return Reply(answer, "length" if cut else "stop", ids.shape[1], len(made))

    def _encode(self, messages: Sequence[Message]) -> Any:
        if not self._chat:
            return self._tokenizer(plain_text(messages), return_tensors="pt")["input_ids"]
        # Templates of models that think aloud first know the last argument, the others ignore it.
        return self._tokenizer.apply_chat_template(
            list(messages),
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
            enable_thinking=False,
        )["input_ids"]


def plain_text(messages: Sequence[Message]) -> str:
    """A conversation for a model that knows no turns."""
    lead = {"user": "", "assistant": "Answer: "}
    turns = [f"{lead[message['role']]}{message['content']}" for message in messages]
    return BLANK_LINE.join([*turns, lead["assistant"].rstrip()])


def _stops(tokenizer: Any) -> list[Any]:
    """What ends a turn at a blank line; nothing where no token of the vocabulary could write one."""
    from transformers import StopStringCriteria

    try:
        return [StopStringCriteria(tokenizer, [BLANK_LINE])]
    except ValueError:
        return []


def _ids(value: int | Sequence[int] | None) -> set[int]:
    if value is None:
        return set()
    return {value} if isinstance(value, int) else set(value)


def _fingerprint(network: Any) -> str:
    """Hash (16 hex digits) of every tensor's name, shape and first numbers: tells models apart in an instant,
    where reading all of a large one would take minutes."""
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        first = tensor.flatten()[:_SAMPLED].cpu().double().tolist()
        digest.update(repr((name, tuple(tensor.shape), first)).encode())
    return digest.hexdigest()[:16]
