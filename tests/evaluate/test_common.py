"""What all measures share: naming, drawing and refusing data."""

from __future__ import annotations

import pytest

from sparsecbm_core.errors import DataError, SettingsError
from sparsecbm_core.evaluate.common import check_fits, data_name, groups_of, sample
from tests.toy import dataset, make_example, toy_reviews

DEV = toy_reviews(20, "dev")


def test_the_data_is_named():
    assert data_name(DEV) == {"name": "toy", "split": "dev", "fingerprint": DEV.fingerprint()}


def test_a_draw_is_seeded_without_repeats_and_in_file_order():
    first, again, other = (sample(DEV, 8, seed) for seed in (0, 0, 1))
    positions = [DEV.examples.index(example) for example in first]
    assert positions == sorted(set(positions))
    assert len(first) == 8
    assert first == again
    assert first != other
    assert sample(DEV, None, 0) is sample(DEV, 20, 0) is sample(DEV, 99, 0) is DEV


@pytest.mark.parametrize("count", [0, -1, 1.5, True])
def test_a_draw_of_nothing_is_refused(count):
    with pytest.raises(SettingsError, match="reviews must be a whole number of at least 1"):
        sample(DEV, count, 0)


def test_reviews_without_a_group_stand_alone():
    data = dataset(
        [make_example(n, (2, 2, 2), 0, group=group) for n, group in enumerate((None, "a", "a", None))]
    )
    assert len(set(groups_of(data))) == 3
    assert groups_of(data)[1] == groups_of(data)[2]


def test_data_that_does_not_fit_is_refused(tiny_model):
    check_fits(tiny_model, DEV)
    with pytest.raises(DataError, match="no usable rows"):
        check_fits(tiny_model, dataset([]))
