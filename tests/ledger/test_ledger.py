"""What is kept is found again as it was, and only its status and note change."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime

import numpy as np
import pytest

from sparsecbm_core.errors import InputError, LedgerError, PatchError
from sparsecbm_core.intervene.edits import MaskEdit
from sparsecbm_core.intervene.patch import Patch
from sparsecbm_core.intervene.scope import Signature
from sparsecbm_core.ledger import Ledger
from tests.ledger.made import CREATED, GUARD, MODEL, patch, patch_of


def test_a_correction_is_kept_as_it_was(ledger):
    given = patch(guard=GUARD, seed=-3, created="2026-03-04T07:06:07+02:00")
    before = datetime.now(UTC)
    kept = ledger.add(given, "soup: “cold” 🥶")
    assert kept == ledger.get(kept.id) == ledger.list()[0]
    assert (kept.model, kept.concept, kept.state_before, kept.state) == (
        MODEL,
        "food",
        "Positive",
        "Negative",
    )
    assert (kept.rule, kept.r, kept.seed, kept.dropped, kept.grown) == ("guarded", 2e-5, -3, 100, 100)
    assert (kept.guard, kept.note, kept.text) == (GUARD, "soup: “cold” 🥶", None)
    assert kept.created == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert kept.active
    assert before <= kept.changed <= datetime.now(UTC)
    assert kept.patch.edit == given.edit


def test_it_outlives_the_ledger_object(ledger, file):
    kept = ledger.add(patch())
    with Ledger.open(file) as again:
        assert again.list() == (kept,)


def test_the_value_has_plain_types(ledger):
    data = ledger.add(patch(guard=GUARD), "why").to_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["created"] == CREATED
    assert data["edit"] == patch().edit.fingerprint()


def test_the_text_is_kept_only_where_the_user_agreed(ledger, file):
    secret = "a review nobody else may read"
    assert ledger.add(patch(0, text=secret)).text is None
    ledger.close()
    assert secret.encode() not in file.read_bytes()
    kept = ledger.add(patch(1), text=secret)
    assert kept.text == kept.patch.text == ledger.get(kept.id).text == secret


def test_a_note_can_be_changed(ledger):
    kept = ledger.add(patch(note="of the patch"))
    assert kept.note == "of the patch"
    changed = ledger.set_note(kept.id, "better")
    assert (changed.note, changed.patch.note) == ("better", "better")
    assert changed.changed == kept.changed


@pytest.mark.parametrize("note", ["\ud800", "a\0b", 5])
def test_a_note_that_no_database_keeps_is_refused(ledger, note):
    kept = ledger.add(patch(), "good")
    with pytest.raises(InputError, match="the note of a correction"):
        ledger.set_note(kept.id, note)
    with pytest.raises((InputError, PatchError), match=r"note of a (correction|patch)"):
        ledger.add(patch(1), note)
    assert [correction.note for correction in ledger.list()] == ["good"]


def test_an_empty_edit_is_refused(ledger):
    with pytest.raises(InputError, match="flips nothing"):
        ledger.add(patch_of(MaskEdit({})))


def test_status_changes_and_nothing_else(ledger):
    kept = ledger.add(patch())
    reverted = ledger.revert(kept.id)
    assert (reverted.status, reverted.active) == ("reverted", False)
    assert reverted.changed > kept.changed
    assert ledger.revert(kept.id) == reverted
    restored = ledger.restore(kept.id)
    assert restored.active
    assert restored.changed > reverted.changed
    assert ledger.restore(kept.id) == restored
    assert restored.patch == kept.patch


@pytest.mark.parametrize("number", [0, 2, -1, 2**40, 2**70, "1", True, None])
def test_a_number_that_no_correction_has(ledger, number):
    ledger.add(patch())
    for call in (ledger.get, ledger.revert, ledger.restore, ledger.overlaps):
        with pytest.raises(LedgerError, match="there is no correction"):
            call(number)
    with pytest.raises(LedgerError, match="there is no correction"):
        ledger.set_note(number, "x")


def test_the_same_edit_twice_would_undo_itself(ledger):
    kept = ledger.add(patch(created="2026-01-01T00:00:00Z"))
    with pytest.raises(LedgerError, match=f"kept already as correction {kept.id}$"):
        ledger.add(patch(created="2026-02-01T00:00:00Z"))
    ledger.revert(kept.id)
    with pytest.raises(LedgerError, match="restore it instead"):
        ledger.add(patch())
    assert len(ledger.list()) == 1
    assert ledger.add(patch(model="another")).id == kept.id + 1


def test_list_filters(ledger):
    first = ledger.add(patch(0, concept="food", state="Negative"), "Ärger mit der 100% kalten Suppe")
    second = ledger.add(patch(1, concept="noise", state="Negative"), "loud_music")
    third = ledger.add(
        patch(2, concept="food", state="unknown", model="another", signature=Signature.of("cold soup")), ""
    )
    ledger.revert(second.id)

    def found(**filters):
        return [correction.id for correction in ledger.list(**filters)]

    assert found() == [first.id, second.id, third.id]
    assert found(model=MODEL) == [first.id, second.id]
    assert found(concept="food") == [first.id, third.id]
    assert found(state="Negative", concept="food") == [first.id]
    assert found(active=True) == [first.id, third.id]
    assert found(active=False) == [second.id]
    assert found(scope="similar") == [third.id]
    assert found(scope="everywhere") == [first.id, second.id]
    assert found(search="ÄRGER") == [first.id]
    assert found(search="100%") == [first.id]
    assert found(search="_") == [second.id]
    assert found(search="' OR 1=1 --") == found(model="' OR 1=1 --") == []


def test_edits_are_the_active_ones_in_order(ledger):
    for number in (3, 1, 2):
        ledger.add(patch(number))
    ledger.add(patch(4, model="another"))
    ledger.revert(2)
    assert ledger.edits(MODEL) == (patch(3).edit, patch(2).edit)


def test_export_and_import(ledger, tmp_path):
    for number in range(3):
        ledger.add(patch(number, guard=GUARD), f"note {number}", text="agreed" if number else None)
    ledger.set_note(1, "changed since")
    paths = ledger.export([3, 1], tmp_path / "out")
    assert [path.parent for path in paths] == [tmp_path / "out"] * 2
    assert sorted(paths) == sorted((tmp_path / "out").iterdir())
    with Ledger.open(tmp_path / "other.sqlite3") as other:
        done = other.import_(paths)
        assert [kept.note for kept in done.added] == ["note 2", "changed since"]
        assert [kept.text for kept in done.added] == ["agreed", None]
        assert [kept.guard for kept in done.added] == [GUARD, GUARD]
        assert done.known == ()
        assert other.edits(MODEL) == (patch(2).edit, patch(0).edit)
        assert len(other.import_(str(ledger.export([2], tmp_path)[0])).added) == 1


def test_importing_twice_adds_nothing_and_says_so(ledger, tmp_path):
    first, second = patch(0).to_bytes(), patch(1).to_bytes()
    assert len(ledger.import_(first).added) == 1
    ledger.revert(1)
    ledger.set_note(1, "mine")
    again = ledger.import_([first, second, second])
    assert [kept.id for kept in again.added] == [kept.id for kept in again.known[1:]] == [2]
    assert (again.known[0].note, again.known[0].active) == ("mine", False)
    assert len(ledger.list()) == 2
    assert [item["id"] for item in again.to_dict()["known"]] == [1, 2]


def test_an_import_with_one_damaged_patch_adds_none(ledger):
    with pytest.raises(PatchError, match="damaged"):
        ledger.import_([patch(0).to_bytes(), patch(1).to_bytes()[:-9]])
    with pytest.raises(PatchError, match="no patch file"):
        ledger.import_(["/nonexistent"])
    assert ledger.list() == ()


def test_an_export_that_fails_leaves_nothing_behind(ledger, tmp_path, monkeypatch):
    ledger.add(patch(0))
    ledger.add(patch(1))
    with pytest.raises(LedgerError, match="there is no correction 9"):
        ledger.export([1, 9], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    save, calls = Patch.save, []

    def full(self, path):
        calls.append(path)
        if len(calls) == 2:
            raise PatchError("the disk is full")
        save(self, path)

    monkeypatch.setattr(Patch, "save", full)
    with pytest.raises(PatchError, match="full"):
        ledger.export([1, 2], tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_names_are_made_fit_for_files(ledger, tmp_path):
    kept = ledger.add(patch(concept="../food/drink", state="../../x" * 40))
    (path,) = ledger.export([kept.id], tmp_path / "out")
    assert path.parent == tmp_path / "out"
    assert Patch.load(path).concept == "../food/drink"


def test_the_scope_is_kept(ledger, tmp_path):
    given = patch(signature=Signature.of("The soup was cold."))
    kept = ledger.add(given)
    assert (kept.scope, kept.patch) == ("similar", given)
    assert kept.to_dict()["scope"] == "similar"
    assert ledger.add(patch(1)).scope == "everywhere"
    with Ledger.open(tmp_path / "other.sqlite3") as other:
        assert other.import_(ledger.export([kept.id], tmp_path / "out")).added[0].patch == given
    # The same flips for other reviews are the same edit still.
    with pytest.raises(LedgerError, match=r"kept already as correction 1$"):
        ledger.add(patch())


def test_threads_share_one_ledger(ledger):
    def work(first):
        for number in range(first, first + 5):
            ledger.revert(ledger.add(patch(number)).id)

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.list(active=False)) == 15


def test_stored_patches_are_safetensors(ledger):
    import safetensors.numpy
    from sqlalchemy import select

    from sparsecbm_core.ledger.schema import corrections

    ledger.add(patch(), "a note", text="a text")
    with ledger._database.reading() as connection:
        blob = connection.scalar(select(corrections.c.patch))
    tensors = safetensors.numpy.load(blob)
    np.testing.assert_array_equal(tensors["food/layer.1"], np.arange(100))
    assert b"a note" not in blob
    assert b"a text" not in blob
