"""Patches written into a model, so that a checkpoint of it knows which corrections it carries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sparsecbm_core.errors import PatchError
from sparsecbm_core.intervene.scope import EVERYWHERE

if TYPE_CHECKING:
    from sparsecbm_core.intervene.patch import Patch
    from sparsecbm_core.models.concept_model import ConceptModel

# Entries of a model's training record: the pristine model's fingerprint, the edits applied since.
PRISTINE, EDITS = "corrected_from", "corrections"


def apply_patch(model: ConceptModel, patch: Patch, everywhere: bool = False) -> ConceptModel:
    """``model`` with the patch in its masks; figures measured before are left out.

    Raises `PatchError` for a patch of another model, for one that the model has already (a second
    time would undo it), and for one that is for similar reviews alone, unless ``everywhere`` says
    that it shall hold for all: masks in a checkpoint know no scope.

    >>> from sparsecbm_core.intervene import Patch
    >>> apply_patch(model, Patch.of(done, model, "2026-03-01")).masks == done.corrected.masks
    True
    """
    if patch.scope != EVERYWHERE and not everywhere:
        raise PatchError(
            "the patch is for similar reviews alone, and a checkpoint's masks hold for all; "
            "give --everywhere to apply it to all, or import it into a ledger"
        )
    pristine, edits = applied(model)
    if patch.edit.fingerprint() in edits:
        raise PatchError(f"{model.name} has this patch already; it would be undone by applying it again")
    if patch.model != pristine:
        patch.check(model)
    patch.check_names(model)
    return _with(model, patch, pristine, (*edits, patch.edit.fingerprint()))


def revert_patch(model: ConceptModel, patch: Patch) -> ConceptModel:
    """``model`` without the patch, whatever was applied after it; bit for bit as if it had never been.

    Raises `PatchError` where the model does not carry the patch.

    >>> from sparsecbm_core.intervene import Patch
    >>> patch = Patch.of(done, model, "2026-03-01")
    >>> revert_patch(apply_patch(model, patch), patch).masks == model.masks
    True
    """
    pristine, edits = applied(model)
    own = patch.edit.fingerprint()
    reverted = _with(model, patch, pristine, tuple(edit for edit in edits if edit != own))
    # A corrected model that was saved without its record is known by what it was before.
    if own not in edits and reverted.fingerprint != patch.model:
        raise PatchError(f"{model.name} does not carry this patch: there is nothing to revert")
    if own in edits and len(edits) == 1 and reverted.fingerprint != pristine:
        raise PatchError(f"{model.name} is not what its record of corrections says it is")
    return reverted


def applied(model: ConceptModel) -> tuple[str, tuple[str, ...]]:
    """Fingerprints of the pristine model, and of the edits that ``model`` carries."""
    pristine, edits = model.training.get(PRISTINE), model.training.get(EDITS)
    if not isinstance(pristine, str) or not isinstance(edits, list):
        return model.fingerprint, ()
    return pristine, tuple(map(str, edits))


def _with(model: ConceptModel, patch: Patch, pristine: str, edits: tuple[str, ...]) -> ConceptModel:
    from sparsecbm_core.intervene.in_force import corrected_model

    try:
        corrected = corrected_model(model, patch.edit)
    except ValueError as error:
        raise PatchError(f"the patch does not fit {model.name}: {error}") from error
    training = {name: value for name, value in model.training.items() if name not in (PRISTINE, EDITS)}
    if edits:
        training |= {PRISTINE: pristine, EDITS: list(edits)}
    return replace(corrected, training=training, metrics={})
