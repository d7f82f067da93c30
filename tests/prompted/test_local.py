"""Tiny random language models that run here, with and without a chat template."""

from __future__ import annotations

import threading

import pytest
import torch
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from sparsecbm_core.errors import InputError, SettingsError
from sparsecbm_core.prompted import parse
from sparsecbm_core.prompted.client import Reply, Stopped
from sparsecbm_core.prompted.local import LocalGenerator, plain_text
from sparsecbm_core.prompted.run import run_prompted
from tests.tiny import make_tiny
from tests.toy import toy_reviews

TEMPLATE = "{% for m in messages %}[{{ m['role'] }}]{{ m['content'] }}{% endfor %}[assistant]"
MESSAGES = [{"role": "user", "content": "the soup was cold"}]


def save(folder, kind="gpt2", template=None, seed=0, positions=1024, tokens="opt"):
    """A random model in the form it is loaded in, with OPT's kind of tokenizer or another's."""
    tokenizer = make_tiny(tokens).tokenizer
    tokenizer.chat_template = template
    special = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if kind == "gpt2":
            model = GPT2LMHeadModel(
                GPT2Config(
                    vocab_size=len(tokenizer),
                    n_positions=positions,
                    n_embd=16,
                    n_layer=1,
                    n_head=2,
                    **special,
                )
            )
        else:
            model = LlamaForCausalLM(
                LlamaConfig(
                    vocab_size=len(tokenizer),
                    hidden_size=16,
                    intermediate_size=32,
                    num_hidden_layers=1,
                    num_attention_heads=2,
                    max_position_embeddings=positions,
                    **special,
                )
            )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    base = tmp_path_factory.mktemp("models")
    return {
        "plain": save(base / "plain"),
        "chat": save(base / "chat", "llama", TEMPLATE),
        "small": save(base / "small", positions=32),
    }


def ask(generator, messages=MESSAGES):
    return generator.ask(messages, threading.Event())


def greedy(folder, ids, count):
    """The likeliest tokens one by one, without the library's generation."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    for _ in range(count):
        following = model(torch.tensor([ids])).logits[0, -1].argmax().item()
        ids = [*ids, following]
    return ids[-count:]


@pytest.mark.parametrize("kind", ["plain", "chat"])
def test_it_goes_on_with_the_likeliest_token(folders, kind):
    generator = LocalGenerator(folders[kind], "cpu", max_tokens=6)
    tokenizer = make_tiny("opt").tokenizer
    text = "[user]the soup was cold[assistant]" if kind == "chat" else "the soup was cold\n\nAnswer:"
    # A template writes its own special tokens, a tokenizer adds them to plain text.
    ids = tokenizer(text, add_special_tokens=kind == "plain").input_ids
    made = greedy(folders[kind], ids, 6)
    assert tokenizer.eos_token_id not in made
    reply = ask(generator)
    assert reply == Reply(tokenizer.decode(made, skip_special_tokens=True), "length", len(ids), 6)
    assert ask(generator) == reply


def test_a_model_without_turns_is_stopped_at_a_blank_line(folders, monkeypatch):
    generator = LocalGenerator(folders["plain"], "cpu", max_tokens=8)
    tokenizer, given = generator._tokenizer, {}
    answer = tokenizer(' {"a": 1}\n\nReview: more', add_special_tokens=False, return_tensors="pt").input_ids

    def generate(ids, generation_config, **options):
        [given["stop"]] = options["stopping_criteria"]
        return torch.cat([ids, answer], dim=1)

    monkeypatch.setattr(generator._network, "generate", generate)
    reply = ask(generator)
    assert given["stop"].stop_strings == ("\n\n",)
    assert (reply.text, reply.finish) == (' {"a": 1}', "stop")


def test_a_model_whose_tokens_cannot_write_a_blank_line_runs_to_the_end(tmp_path):
    """Nor does its tokenizer name a token that ends a text."""
    reply = ask(LocalGenerator(save(tmp_path, tokens="bert"), "cpu", max_tokens=6))
    assert (reply.finish, reply.completion_tokens) == ("length", 6)


def test_the_conversation_of_a_model_without_turns():
    turns = [("user", "Read.\n\nReview:\ncold"), ("assistant", "{}"), ("user", "Review:\nwarm")]
    messages = [{"role": role, "content": content} for role, content in turns]
    assert plain_text(messages) == "Read.\n\nReview:\ncold\n\nAnswer: {}\n\nReview:\nwarm\n\nAnswer:"


def test_a_review_that_is_too_long_is_an_answer(folders):
    reply = ask(LocalGenerator(folders["small"], "cpu", max_tokens=30))
    assert (reply.text, reply.finish, reply.completion_tokens) == ("", "context_length_exceeded", 0)


def test_a_whole_run(folders, tmp_path):
    data = toy_reviews(3, "dev")
    client = LocalGenerator(folders["chat"], "cpu", max_tokens=4)
    path = tmp_path / "answers.jsonl"
    result = run_prompted(client, data, path)
    assert result.model == "chat"  # not where the folder lies
    assert result.host is None
    assert sum(result.unparseable.values()) == 3  # it is random
    assert set(result.unparseable) <= {parse.CUT_OFF, parse.EMPTY, parse.NOT_JSON}
    assert result.usage is not None
    assert result.usage["completion_tokens"] == 12
    assert str(tmp_path.parent) not in path.read_text(encoding="utf-8")
    assert run_prompted(client, data, path).asked == 0


def test_another_model_of_the_same_name_is_told_apart(folders, tmp_path):
    other = save(tmp_path / "plain", seed=1)
    settings = [
        LocalGenerator(folder, "cpu").settings for folder in (folders["plain"], other, folders["plain"])
    ]
    assert settings[0] == settings[2] != settings[1]


def test_a_stopped_run_does_not_ask(folders):
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        LocalGenerator(folders["plain"], "cpu").ask(MESSAGES, stop)


def test_what_cannot_be_loaded(tmp_path, folders):
    with pytest.raises(InputError, match="cannot load a language model from"):
        LocalGenerator(str(tmp_path), "cpu")
    with pytest.raises(InputError, match="max_tokens must be at least 1, got 0"):
        LocalGenerator(folders["plain"], "cpu", max_tokens=0)
    with pytest.raises(SettingsError, match="device 'gpu' is not usable"):
        LocalGenerator(folders["plain"], "gpu")
