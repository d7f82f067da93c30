"""Ask a language model about every review of a split, and measure its answers."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
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
    ids of the examples in it. The scores are those of `sparsecbm_core.prompted.score.Scores`.
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
    started, before = time.perf_counter(), len(given)
    on_progress(before, len(requests))
    stop = threading.Event()

    def ask(name: str) -> Answer:
        begun = time.perf_counter()
        try:
            reply = client.ask(requests[name], stop)
        except BaseException:
            stop.set()  # here, not where the error is met: this thread would take the next one meanwhile
            raise
        return Answer(name, hashes[name], reply, round(time.perf_counter() - begun, 3))

    with appending(answers) as file:

        def keep(answer: Answer) -> None:
            file.write(answer.line(data.space) + "\n")
            file.flush()
            given[answer.id] = answer

        waiting = [name for name in requests if name not in given]
        _ask_all(ask, waiting, client.concurrency, stop, keep, lambda: on_progress(len(given), len(requests)))
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
    ask: Callable[[str], Answer],
    names: Sequence[str],
    concurrency: int,
    stop: threading.Event,
    keep: Callable[[Answer], None],
    kept_one: Callable[[], None],
) -> None:
    """Ask in ``concurrency`` threads, keep in this one. The first error ends it, once the requests under way
    have come back and their answers are kept too."""
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="prompted")
    futures = [pool.submit(ask, name) for name in names]
    kept: set[Future[Answer]] = set()
    try:
        for future in as_completed(futures):
            if isinstance(future.exception(), Stopped):
                continue  # another one met the error, which is the one to raise
            keep(future.result())
            kept.add(future)
            kept_one()
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
        for future in futures:
            if future not in kept and not future.cancelled() and future.exception() is None:
                keep(future.result())


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
        **vars(score(parsed, data)),
        unparseable={reason: reasons[reason] for reason in REASONS if reasons[reason]},
        examples=len(data),
        usage=_usage([answer.reply for answer in answers]),
        asked=asked,
        seconds=round(time.perf_counter() - started, 3),
        answer_seconds=round(median(answer.seconds for answer in answers), 3),
    )


def _usage(replies: Sequence[Reply]) -> dict[str, int] | None:
    counted = [
        (reply.prompt_tokens, reply.completion_tokens)
        for reply in replies
        if reply.prompt_tokens is not None and reply.completion_tokens is not None
    ]
    if not counted:
        return None
    return {
        "prompt_tokens": sum(prompt for prompt, _ in counted),
        "completion_tokens": sum(completion for _, completion in counted),
        "answers": len(counted),
    }
