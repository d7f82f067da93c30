"""Kept corrections: add, find, revert, replay, exchange."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from sparsecbm_core.errors import InputError, LedgerError
from sparsecbm_core.intervene.edits import MaskEdit, net_edit
from sparsecbm_core.intervene.patch import Patch
from sparsecbm_core.intervene.scope import EVERYWHERE
from sparsecbm_core.ledger.correction import ACTIVE, REVERTED, Imported, KeptCorrection, Overlap, Overlaps
from sparsecbm_core.ledger.database import Database
from sparsecbm_core.ledger.place import default_place, place_url
from sparsecbm_core.ledger.rows import patch_values, read_row, storable
from sparsecbm_core.ledger.schema import corrections

if TYPE_CHECKING:
    from sparsecbm_core.models.concept_model import ConceptModel


class Ledger:
    """The corrections of any number of models, in a file or on a PostgreSQL server.

    A correction is an XOR on mask bits, so the model under all active ones is the pristine model and
    their net edit, in whatever order they were made: any of them can be reverted, also in the middle
    of a chain, and restored. One for similar reviews alone plays a part where such a review is read.
    Corrections are never deleted and their patches never changed.

    Every method is one transaction: it happens whole or not at all, also where the process is killed,
    and any number of threads and processes may use the same ledger. All raise `LedgerError`, in one
    line, where the database fails, and for a number that no correction has.

    >>> from sparsecbm_core.intervene import Patch
    >>> with Ledger.open("corrections.sqlite3") as ledger:
    ...     kept = ledger.add(Patch.of(done, model, "2026-03-01"), note="cold soup is bad food")
    ...     corrected = ledger.replay(model)
    ...     _ = ledger.revert(kept.id)
    ...     ledger.replay(model) is model, [item.note for item in ledger.list(active=False)]
    (True, ['cold soup is bad food'])
    >>> corrected.fingerprint == done.corrected.fingerprint
    True
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, place: str | Path | None = None) -> Ledger:
        """The ledger at a path or URL, made where there is none; by default at `default_place`.

        Raises `LedgerError` for a database that is damaged, read-only while its schema is older than
        this version's, of a newer version, another application's, or not to be reached.
        """
        database = Database(place_url(default_place() if place is None else place))
        try:
            database.open()
        except LedgerError:
            database.close()
            raise
        return cls(database)

    @property
    def place(self) -> str:
        """Where this ledger is, fit to be shown: without a password."""
        return self._database.place

    def close(self) -> None:
        """Let go of all connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, patch: Patch, note: str | None = None, text: str | None = None) -> KeptCorrection:
        """Keep a correction, active. ``note`` is the patch's own unless another is given. ``text`` is
        the review, only where the user agreed to keep it: a text inside the patch is left out.

        Raises `LedgerError` where the same edit of the same model is kept already, whatever its
        status: applied twice it would undo itself.
        """
        kept = replace(patch, note=patch.note if note is None else note, text=text)
        with self._database.writing() as connection:
            correction, new = _insert(connection, kept)
            if not new:
                raise LedgerError(_known(correction))
            return correction

    def list(
        self,
        model: str | None = None,
        concept: str | None = None,
        state: str | None = None,
        active: bool | None = None,
        search: str = "",
        scope: str | None = None,
    ) -> tuple[KeptCorrection, ...]:
        """Corrections in the order they were kept: of a model (its fingerprint), of a concept, to a
        state, active or reverted ones, with ``search`` in the note (in any case), of a scope."""
        query = select(corrections).order_by(corrections.c.id)
        asked = {"model": model, "concept": concept, "state": state, "scope": scope}
        for column, value in asked.items():
            if value is not None:
                query = query.where(corrections.c[column] == value)
        if active is not None:
            query = query.where(corrections.c.status == (ACTIVE if active else REVERTED))
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        # Not in SQL: SQLite knows upper and lower case of ASCII alone.
        wanted = search.casefold()
        return tuple(read_row(row) for row in rows if wanted in row.note.casefold())

    def get(self, id: int) -> KeptCorrection:
        """The correction of this number."""
        with self._database.reading() as connection:
            return _get(connection, id)

    def revert(self, id: int) -> KeptCorrection:
        """Stop applying a correction; one that is reverted already stays as it is."""
        return self._set_status(id, REVERTED)

    def restore(self, id: int) -> KeptCorrection:
        """Apply a reverted correction again; one that is active stays as it is."""
        return self._set_status(id, ACTIVE)

    def set_note(self, id: int, note: str) -> KeptCorrection:
        """Replace the note of a correction."""
        storable("note", note)
        with self._database.writing() as connection:
            _get(connection, id)
            connection.execute(update(corrections).where(corrections.c.id == id).values(note=note))
            return _get(connection, id)

    def edits(self, model: str) -> tuple[MaskEdit, ...]:
        """The edits of a model's active corrections of any scope, in the order they were kept."""
        return tuple(correction.patch.edit for correction in self.list(model, active=True))

    def replay(self, model: ConceptModel, text: str | None = None) -> ConceptModel:
        """``model``, which must be the pristine one, under all its active corrections that hold for
        ``text``; without a text, under those that hold everywhere.

        Corrections of other models play no part. Raises `LedgerError` naming the correction where
        one does not fit the model: none is left out in silence.
        """
        active = self.list(model.fingerprint, active=True)
        if not active:
            return model
        from sparsecbm_core.intervene.in_force import corrected_model, firing

        for correction in active:
            _check(correction, model)
        patches = [correction.patch for correction in active]
        if text is None:
            chosen = tuple(patch for patch in patches if patch.scope == EVERYWHERE)
        else:
            chosen = firing(text, patches)
        return corrected_model(model, net_edit(patch.edit for patch in chosen))

    def overlaps(self, id: int, model: ConceptModel | None = None) -> Overlaps:
        """Later active corrections that flip bits of this one too, and what a revert does to the
        sparsity: exactly, where the pristine ``model`` is given (see `Overlaps`).

        Of a reverted correction the same is said of restoring it. Corrections for similar reviews are
        counted as for a review that all of them hold for.
        """
        correction = self.get(id)
        edit = correction.patch.edit
        active = self.list(correction.model, active=True)
        later = [(other.id, other.patch.edit) for other in active if other.id > id]
        shared = tuple(Overlap(number, edit.shared(other)) for number, other in later)
        kept = None
        if model is not None:
            _check(correction, model)
            if model.masks is None:
                raise InputError("a dense model has no masks to correct; load a SparseCBM")
            masks = net_edit(other.patch.edit for other in active).apply(model.masks)
            kept = sum(count.grown - count.dropped for count in edit.counts(masks))
        return Overlaps(
            id=id,
            later=tuple(overlap for overlap in shared if overlap.shared),
            bits=edit.shared(net_edit(other for _, other in later)),
            kept=kept,
        )

    def export(self, ids: Iterable[int], folder: str | Path) -> tuple[Path, ...]:
        """Write one patch file a correction into ``folder``; returns their paths.

        Raises `PatchError` where a file cannot be written; none of them is then left behind.
        """
        with self._database.reading() as connection:
            chosen = [_get(connection, id) for id in ids]
        written: list[Path] = []
        try:
            for correction in chosen:
                path = Path(folder) / _file_name(correction)
                new = not path.exists()
                correction.patch.save(path)
                if new:
                    written.append(path)
        except BaseException:
            for path in written:
                path.unlink(missing_ok=True)
            raise
        return tuple(Path(folder) / _file_name(correction) for correction in chosen)

    def import_(self, sources: str | Path | bytes | Sequence[str | Path | bytes]) -> Imported:
        """Keep patches from files or their content, active, with the note and text they carry.

        A patch that is here already, active or reverted, is not added again: `Imported.known` names
        it. Raises `PatchError` for a source that is no patch, and then adds none of them.
        """
        given = [sources] if isinstance(sources, (str, Path, bytes)) else sources
        patches = [Patch.from_bytes(item) if isinstance(item, bytes) else Patch.load(item) for item in given]
        added: dict[int, KeptCorrection] = {}
        known: dict[int, KeptCorrection] = {}
        with self._database.writing() as connection:
            for patch in patches:
                correction, new = _insert(connection, patch)
                (added if new else known)[correction.id] = correction
        return Imported(tuple(added.values()), tuple(known.values()))

    def _set_status(self, id: int, status: str) -> KeptCorrection:
        with self._database.writing() as connection:
            _get(connection, id)
            connection.execute(
                update(corrections)
                .where(corrections.c.id == id, corrections.c.status != status)
                .values(status=status, changed=datetime.now(UTC))
            )
            return _get(connection, id)


def _get(connection: Connection, id: int) -> KeptCorrection:
    row = None
    if type(id) is int and 0 < id < 2**31:  # SQLite and PostgreSQL take no larger numbers
        row = connection.execute(select(corrections).where(corrections.c.id == id)).one_or_none()
    if row is None:
        raise LedgerError(f"there is no correction {id!r} in this ledger")
    return read_row(row)


def _insert(connection: Connection, patch: Patch) -> tuple[KeptCorrection, bool]:
    """The kept correction of this patch, and whether it is new."""
    values = patch_values(patch, datetime.now(UTC))
    try:
        with connection.begin_nested():
            row = connection.execute(insert(corrections).values(values).returning(corrections)).one()
        return read_row(row), True
    except IntegrityError:
        same = (corrections.c.model == values["model"], corrections.c.edit == values["edit"])
        row = connection.execute(select(corrections).where(*same)).one()
        return read_row(row), False


def _known(correction: KeptCorrection) -> str:
    reverted = "" if correction.active else ", reverted; restore it instead"
    return f"the same edit of this model is kept already as correction {correction.id}{reverted}"


def _check(correction: KeptCorrection, model: ConceptModel) -> None:
    try:
        correction.patch.check(model)
    except ValueError as error:
        raise LedgerError(f"correction {correction.id} does not fit: {error}") from error


def _file_name(correction: KeptCorrection) -> str:
    words = f"{correction.concept}-{correction.state}"
    safe = "".join(sign if sign.isalnum() or sign in "-_" else "_" for sign in words)[:60]
    return f"{safe}-{correction.patch.edit.fingerprint()}.safetensors"
