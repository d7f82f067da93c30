"""A correction as a file of a few kB that any copy of the same model accepts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as from_safetensors
from safetensors.numpy import save as to_safetensors

from sparsecbm_core.errors import InputError, PatchError, one_of
from sparsecbm_core.files import write_bytes
from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.scope import EVERYWHERE, SIMILAR, Signature

if TYPE_CHECKING:
    from sparsecbm_core.intervene.guard import GuardReport
    from sparsecbm_core.intervene.results import Intervention
    from sparsecbm_core.models.concept_model import ConceptModel

PATCH_VERSION = 2
READABLE = (1, PATCH_VERSION)  # the first had no scope
HEADER = "sparsecbm_patch"
LARGEST = 64 * 2**20  # bytes; a correction takes a few thousand


@dataclass(frozen=True)
class Patch:
    """An edit and where it comes from. ``model`` is the fingerprint of the pristine model it is for.

    ``dropped`` and ``grown`` are its flips by what they did to the masks at the time, and ``r`` the
    share of the prunable weights that were dropped. ``created`` is ISO 8601, UTC where it names no
    other zone. ``guard`` are the tallies of the guard report at the time, None if there was none.
    ``text`` is the review corrected, where its owner agreed to keep it. ``signature`` says which reviews
    are close to it, and limits the correction to them; without one it holds everywhere.

    Raises `PatchError` for a value that no patch can have.

    >>> patch = Patch.of(done, model, "2026-03-01T12:00:00+00:00", note="cold soup is bad food")
    >>> patch.save("soup.safetensors")
    >>> Patch.load("soup.safetensors") == patch
    True
    """

    edit: MaskEdit
    model: str
    concept: str
    state_before: str
    state: str
    rule: str
    r: float
    seed: int
    dropped: int
    grown: int
    created: str
    guard: Mapping[str, Any] | None = None
    note: str = ""
    text: str | None = None
    signature: Signature | None = None
    schema_version: int = PATCH_VERSION

    def __post_init__(self) -> None:
        for name in ("model", "concept", "state_before", "state", "rule", "created", "note"):
            _expect(isinstance(getattr(self, name), str), name, "text", getattr(self, name))
        _expect(self.text is None or isinstance(self.text, str), "text", "text or nothing", self.text)
        signed = self.signature is None or isinstance(self.signature, Signature)
        _expect(signed, "signature", "a signature or nothing", self.signature)
        for name in ("seed", "dropped", "grown"):
            _expect(type(getattr(self, name)) is int, name, "a whole number", getattr(self, name))
        _expect(abs(self.seed) < 2**63, "seed", "below 2^63", self.seed)
        _expect(min(self.dropped, self.grown) >= 0, "dropped and grown", "counts", (self.dropped, self.grown))
        if self.dropped + self.grown != self.edit.size:
            raise PatchError(
                f"a patch of {self.edit.size} flips cannot have dropped {self.dropped} weights "
                f"and grown {self.grown}"
            )
        finite = type(self.r) in (int, float) and math.isfinite(self.r)
        _expect(finite, "r", "a finite number", self.r)
        try:
            json.dumps(None if self.guard is None else dict(self.guard), allow_nan=False)
            _ = self.time
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise PatchError(f"a patch has the guard summary or the time of no patch: {error}") from error

    @classmethod
    def of(
        cls,
        done: Intervention,
        model: ConceptModel,
        created: str,
        guard: GuardReport | None = None,
        note: str = "",
        text: str | None = None,
        signature: Signature | None = None,
    ) -> Patch:
        """The patch of an intervention; ``model`` is the pristine model, whatever was corrected before.

        `Signature.of` the review makes a correction for similar reviews alone.
        """
        return cls(
            edit=done.edit,
            model=model.fingerprint,
            concept=done.concept,
            state_before=done.before.state,
            state=done.state,
            rule=done.rule,
            r=done.r,
            seed=done.seed,
            dropped=done.dropped,
            grown=done.grown,
            created=created,
            guard=None if guard is None else guard.summary(),
            note=note,
            text=text,
            signature=signature,
        )

    @property
    def scope(self) -> str:
        """One of `sparsecbm_core.intervene.scope.SCOPES`: what is read with this correction."""
        return EVERYWHERE if self.signature is None else SIMILAR

    @property
    def time(self) -> datetime:
        """``created`` as an aware time in UTC."""
        moment = datetime.fromisoformat(self.created)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)

    def header(self) -> dict[str, Any]:
        """All but the flips, as plain JSON types."""
        values = {name: value for name, value in vars(self).items() if name != "edit"}
        return {
            **values,
            "guard": None if self.guard is None else dict(self.guard),
            "scope": self.scope,
            "signature": None if self.signature is None else self.signature.hex,
        }

    def to_bytes(self) -> bytes:
        """A safetensors file: flips as uint32 per concept and matrix, the rest as JSON in its header."""
        tensors = {}
        for concept, matrix, indices in self.edit:
            if indices[-1] >= 2**32:
                raise PatchError(f"weight {indices[-1]} of {matrix} is beyond what a patch can name")
            tensors[f"{concept}/{matrix}"] = indices.astype(np.uint32)
        return to_safetensors(tensors, {HEADER: json.dumps(self.header())})

    def save(self, path: str | Path) -> None:
        """Write the file, through a temporary one; `PatchError` where that cannot be done."""
        target, content = Path(path), self.to_bytes()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(target, content)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise PatchError(f"cannot write the patch {target}: {reason}") from error

    @classmethod
    def load(cls, path: str | Path) -> Patch:
        """Read a patch file; `PatchError` says what is wrong with it."""
        path = Path(path)
        try:
            if not path.is_file():
                raise PatchError(f"there is no patch file {path}")
            if path.stat().st_size > LARGEST:
                raise PatchError(f"{path.name} is no patch: it is larger than {LARGEST // 2**20} MB")
            content = path.read_bytes()
        except OSError as error:
            raise PatchError(f"cannot read the patch {path}: {error.strerror or error}") from error
        return cls.from_bytes(content, path.name)

    @classmethod
    def from_bytes(cls, content: bytes, name: str = "the patch") -> Patch:
        """`load` for an uploaded file."""
        if len(content) > LARGEST:
            raise PatchError(f"{name} is no patch: it is larger than {LARGEST // 2**20} MB")
        try:
            tensors = from_safetensors(content)
            head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        # Damage shows in many ways: a bad header, a dtype that numpy does not have.
        except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise PatchError(f"{name} is damaged, or no patch file") from error
        header = (head.get("__metadata__") or {}).get(HEADER)
        if header is None:
            raise PatchError(f"{name} is a safetensors file, but no patch of this project")
        return cls._from_parts(name, header, tensors)

    @classmethod
    def _from_parts(cls, name: str, header: str, tensors: Mapping[str, np.ndarray]) -> Patch:
        try:
            values = json.loads(header)
            version = values.pop("schema_version")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise PatchError(f"{name} is damaged: its header cannot be read") from error
        if version not in READABLE:
            known = " and ".join(map(str, READABLE))
            raise PatchError(f"{name} has patch version {version!r}; this version reads {known}")
        if version < PATCH_VERSION:
            values.setdefault("scope", EVERYWHERE)
        flips: dict[str, dict[str, np.ndarray]] = {}
        for key, indices in tensors.items():
            concept, _, matrix = key.rpartition("/")  # a concept's name may hold a slash, a matrix's cannot
            flips.setdefault(concept, {})[matrix] = indices
        try:
            scope, signature = values.pop("scope", None), values.pop("signature", None)
            if signature is not None:
                signature = Signature.from_hex(signature)
            patch = cls(edit=MaskEdit(flips), signature=signature, **values)
            _expect(scope == patch.scope, "scope", f"{patch.scope}, by its signature", scope)
            return patch
        except (TypeError, ValueError) as error:
            raise PatchError(f"{name} is damaged: {error}") from error

    def check(self, model: ConceptModel) -> None:
        """Raise `PatchError` unless this is a patch of ``model``.

        >>> Patch.of(done, model, "2026-03-01").check(model)
        """
        if self.model != model.fingerprint:
            raise PatchError(
                f"the patch was made for model {self.model}, this is {model.fingerprint} ({model.name}); "
                "mask bits of one model mean nothing in another"
            )
        if model.masks is None:
            raise PatchError(f"{model.name} is a dense model: it has no masks to patch")
        try:
            self.edit.counts(model.masks)
        except InputError as error:
            raise PatchError(f"the patch does not fit {model.name}: {error}") from error
        self.check_names(model)

    def check_names(self, model: ConceptModel) -> None:
        """Raise `PatchError` unless concept and states are the model's, and no other concept is flipped."""
        try:
            answers = model.cbm.answers(model.cbm.part_index(self.concept))
            for state in (self.state_before, self.state):
                if state not in answers:
                    raise InputError(one_of(state, answers, "state"))
        except InputError as error:
            raise PatchError(f"the patch does not fit {model.name}: {error}") from error
        others = sorted(set(self.edit.concepts) - {self.concept})
        if others:
            raise PatchError(
                f"the patch does not fit {model.name}: it says that it corrects {self.concept!r}, and may "
                f"flip no bits of another concept, but flips some of {', '.join(map(repr, others))}"
            )


def _expect(fits: bool, name: str, what: str, value: object) -> None:
    if not fits:
        raise PatchError(f"{name} of a patch must be {what}, got {value!r}")
