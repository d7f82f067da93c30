"""Whether a text is like those that a model was trained on, told by its words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.models.backbone import one_line

if TYPE_CHECKING:
    from sparsecbm_core.data.batches import Encoded

FALSE_ALARMS = 0.02  # of the texts that the threshold is set on
FEWEST = 1 / FALSE_ALARMS  # texts, to tell such a share
RARE, USUAL = -2.0, 3.0  # no single word says more
LONGER = 0.1  # the longer a text, the more it strays: the mean of n words counts n^0.1 times


@dataclass(frozen=True, eq=False)
class TrainingWords:
    """How much more usual every token is in the training texts than elsewhere, and what score is too low.

    The idea: what an encoder makes of a text after training tells opinions apart, no longer subjects, while
    words do. ``log_ratios`` (V,) are log p(token in a training text) − log p(token), where the second is
    Zipf's law over the vocabulary, whose order runs from usual tokens to rare ones. The score of a text is
    the mean of its distinct tokens' log ratios, each between `RARE` and `USUAL`, times a little for length.
    A text below ``threshold`` is unlike the training texts; `FALSE_ALARMS` of the texts that the threshold
    was set on are.
    """

    log_ratios: torch.Tensor
    threshold: float

    @classmethod
    def of(cls, train: Iterable[Encoded], others: Iterable[Encoded], size: int) -> Self | None:
        """Of a vocabulary of ``size`` tokens, with the threshold set on ``others`` of the same kind, which
        training did not see; None where these are too few to tell.

        >>> encoded = model.encode(reviews.texts)
        >>> TrainingWords.of(encoded, encoded * 10, len(model.tokenizer)).familiar(encoded[0])
        True
        """
        counts = torch.zeros(size, dtype=torch.float64)
        for text in train:
            counts[_distinct(text)] += 1.0
        elsewhere = 1.0 / torch.arange(1, size + 1, dtype=torch.float64)
        elsewhere /= elsewhere.sum()
        log_ratios = ((counts + elsewhere) / (counts.sum() + 1.0)).log() - elsewhere.log()
        found = cls(log_ratios.half(), 0.0)  # as it is kept
        scores = sorted(found.score(text) for text in others)
        if len(scores) < FEWEST:
            return None
        return cls(found.log_ratios, scores[int(FALSE_ALARMS * len(scores))])

    def score(self, text: Encoded) -> float:
        """The lower, the less the text is like the training texts."""
        tokens = _distinct(text)
        if not tokens:
            return RARE
        ratios = self.log_ratios[tokens].double().clamp(RARE, USUAL)
        return float(ratios.mean()) * len(tokens) ** LONGER

    def familiar(self, text: Encoded) -> bool:
        """Whether the text could be one of those that the model was trained on."""
        return self.score(text) >= self.threshold

    def save(self, path: Path) -> None:
        save_file({"log_ratios": self.log_ratios}, path, {"threshold": repr(self.threshold)})

    @classmethod
    def load(cls, path: Path, size: int) -> Self:
        """Inverse of `save`, for a vocabulary of ``size`` tokens; `CheckpointError` if damaged."""
        try:
            with safe_open(path, framework="pt") as handle:
                threshold = float((handle.metadata() or {})["threshold"])
                log_ratios = handle.get_tensor("log_ratios")
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise CheckpointError(f"{path} is damaged: {one_line(error)}") from error
        if log_ratios.shape != (size,):
            raise CheckpointError(
                f"{path} is for {tuple(log_ratios.shape)} tokens, the model's vocabulary has {size}"
            )
        return cls(log_ratios, threshold)


def _distinct(text: Encoded) -> list[int]:
    """The text's own tokens, each once."""
    return sorted({token for token, special in zip(text.ids, text.special, strict=True) if not special})
