"""Ask a language model about every review of a split, and measure its answers."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from sparsecbm_core.data.types import Example, ReviewDataset
from sparsecbm_core.errors import DataError, InputError
from sparsecbm_core.progress import OnCount, unheard
from sparsecbm_core.prompted.answers import Answer, appending, read_answers
from sparsecbm_core.prompted.client import Client, Reply, Stopped
from sparsecbm_core.prompted.parse import REASONS
from sparsecbm_core.prompted.prompt import Prompt

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class PromptedEvaluation:
    """What a prompted language model scores on one split, as fractions.

    ``data`` names what was measured, of ``available`` reviews in the split; ``host`` is where the model is
    served (None: here), ``settings`` how it was asked; ``prompt`` is the hash of the question, ``shots`` the
    ids of the examples in it. The measures are those of `sparsecbm_core.prompted.score.score`.
    ``unparseable`` counts the answers that could not be read, by reason. ``usage`` sums the tokens of the
    ``answers`` for which the server counted them; None if it never did. ``asked`` answers were asked for in
    this call, which took ``seconds``, the others were there from earlier ones; ``answer_seconds`` is the
    median time of one answer, waits included.
    """

    data: Mapping[str, str]
    available: int
    model: str
    host: str | None
    settings: Mapping[str, Any]
    prompt: str
    shots: tuple[str, ...]
    concept_accuracy: float
    concept_macro_f1: float
    per_concept: Mapping[str, Mapping[str, float]]
    task_accuracy: float
    task_macro_f1: float
    paper_f1: Mapping[str, float]
    gold_class_f1: Mapping[str, float]
    unparseable: Mapping[str, int]
    examples: int
    usage: Mapping[str, int] | None
    asked: int
    seconds: float
    answer_seconds: float
    schema_version: int = SCHEMA_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, keys as in this class."""
        return {**asdict(self), "shots": list(self.shots)}


def run_prompted(
    client: Client,
    data: ReviewDataset,
    answers: Path,
    shots: Sequence[Example] = (),
    on_progress: OnCount = unheard,
    limit: int | None = None,
    seed: int = 0,
) -> PromptedEvaluation:
    """Ask about every review of ``data``, or about ``limit`` of them drawn by ``seed``.

    Each answer is added to the file ``answers`` as it comes; what is in it already is not asked again, so
    that a run that was stopped, or met an error, goes on with the same call. So does a larger ``limit``.
    ``shots`` are answered examples (`draw_shots`). ``on_progress`` is called in the calling thread; what it
    raises ends the run, and answers that are under way are waited for and kept.

    Raises `EndpointError` where the model cannot be asked, `InputError` where the file holds answers of
    another model or to another question, `DataError` for data without reviews or with an id twice.
    """
    chosen = draw_reviews(data, limit, seed)
    prompt = Prompt(data.space, tuple(shots))
    requests = {example.id: prompt.messages(example.text) for example in chosen}
    hashes = {name: request_hash(client, messages) for name, messages in requests.items()}
    known = read_answers(answers)
    given = {name: known[name] for name in requests if name in known}
    for name, answer in given.items():
        if answer.request != hashes[name]:
            raise InputError(
                f"{answers} holds an answer for review {name!r} to another question, or by another model or "
                "with other settings; give another --answers file"
            )
    started, waiting = time.perf_counter(), [name for name in requests if name not in given]
    on_progress(len(given), len(requests))
    with appending(answers) as file:
        lock = threading.Lock()

        def ask(name: str, stop: threading.Event) -> None:
            begun = time.perf_counter()
            reply = client.ask(requests[name], stop)
            answer = Answer(name, hashes[name], reply, round(time.perf_counter() - begun, 3))
            with lock:
                file.write(answer.line(data.space) + "\n")
                file.flush()
                given[name] = answer

        there = len(requests) - len(waiting)
        _ask_all(ask, waiting, client.concurrency, lambda done: on_progress(there + done, len(requests)))
    return _evaluation(client, chosen, len(data), prompt, given, len(waiting), started)


def draw_reviews(data: ReviewDataset, limit: int | None, seed: int = 0) -> ReviewDataset:
    """At most ``limit`` reviews, in the order of the data; a larger limit adds to those of a smaller one."""
    if not len(data):
        raise DataError(f"{data.name} {data.split} has no usable rows to ask about")
    twice = [name for name, count in Counter(example.id for example in data).items() if count > 1]
    if twice:
        raise DataError(f"{data.name} {data.split} has the id {twice[0]!r} more than once; answers go by id")
    if limit is None:
        return data
    if limit < 1:
        raise InputError(f"the limit must be at least 1 review, got {limit}")
    order = list(range(len(data)))
    random.Random(f"reviews {seed}").shuffle(order)
    return replace(data, examples=tuple(data.examples[i] for i in sorted(order[:limit])))


def request_hash(client: Client, messages: Sequence[Mapping[str, str]]) -> str:
    """Hash (16 hex digits) of all that decides an answer: model, host, settings and conversation."""
    asked = [client.model, client.host, dict(client.settings), list(messages)]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def _ask_all(
    ask: Callable[[str, threading.Event], None],
    names: Sequence[str],
    threads: int,
    on_done: Callable[[int], None],
) -> None:
    """Ask about every name, in so many threads; ``on_done`` gets the number done, in this one. The first
    error, also one of ``on_done``, ends it once those under way have come back."""
    stop = threading.Event()

    def work(name: str) -> None:
        try:
            ask(name, stop)
        except BaseException:
            stop.set()  # here, not where the error is met: this thread would take the next one meanwhile
            raise

    pool = ThreadPoolExecutor(threads, thread_name_prefix="prompted")
    try:
        for done, future in enumerate(as_completed([pool.submit(work, name) for name in names]), start=1):
            if isinstance(future.exception(), Stopped):
                continue  # another one met the error, which is the one to raise
            future.result()
            on_done(done)
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _evaluation(
    client: Client,
    data: ReviewDataset,
    available: int,
    prompt: Prompt,
    given: Mapping[str, Answer],
    asked: int,
    started: float,
) -> PromptedEvaluation:
    from sparsecbm_core.prompted.score import score

    answers = [given[example.id] for example in data]
    parsed = [answer.parsed(data.space) for answer in answers]
    reasons = Counter(answer.reason for answer in parsed)
    return PromptedEvaluation(
        data={"name": data.name, "split": data.split, "fingerprint": data.fingerprint()},
        available=available,
        model=client.model,
        host=client.host,
        settings=dict(client.settings),
        prompt=prompt.fingerprint,
        shots=tuple(shot.id for shot in prompt.shots),
        **score(parsed, data),
        unparseable={reason: reasons[reason] for reason in REASONS if reasons[reason]},
        examples=len(data),
        usage=_usage([answer.reply for answer in answers]),
        asked=asked,
        seconds=round(time.perf_counter() - started, 3),
        answer_seconds=round(median(answer.seconds for answer in answers), 3),
    )


def _usage(replies: Sequence[Reply]) -> dict[str, int] | None:
    pairs = [(reply.prompt_tokens, reply.completion_tokens) for reply in replies]
    counted = [(prompt, made) for prompt, made in pairs if prompt is not None and made is not None]
    if not counted:
        return None
    prompts, completions = (sum(counts) for counts in zip(*counted, strict=True))
    return {"prompt_tokens": prompts, "completion_tokens": completions, "answers": len(counted)}
