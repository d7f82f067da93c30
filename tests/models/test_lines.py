"""Subnetworks of whole rows or columns: the same as the matrices they stand for."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from sparsecbm_core.models.lines import WORTH, Lines, LineWeights
from sparsecbm_core.models.subnetworks import ConceptWeights


def matrix(rows: list[int] | None, columns: list[int] | None, seed: int = 0) -> torch.Tensor:
    """6 × 8, zero outside some rows and columns."""
    full = torch.randn(6, 8, generator=torch.Generator().manual_seed(seed)) + 3
    keep_rows, keep_columns = torch.zeros(6, 1), torch.zeros(1, 8)
    keep_rows[range(6) if rows is None else rows] = 1
    keep_columns[:, range(8) if columns is None else columns] = 1
    return full * keep_rows * keep_columns


CASES = {
    "rows": matrix([1, 4], None),
    "columns": matrix(None, [0, 3, 7]),
    "a row and a bit": matrix([2], None).index_put((torch.tensor(5), torch.tensor(1)), torch.tensor(2.0)),
    "nothing": torch.zeros(6, 8),
    "everything": matrix(None, None),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("with_bias", [True, False])
def test_the_product_is_that_of_the_matrix(name: str, with_bias: bool) -> None:
    whole, x = CASES[name], torch.randn(5, 8)
    bias = torch.randn(6) if with_bias else None
    lines = Lines.of(whole)
    assert torch.equal(lines.dense(), whole)
    torch.testing.assert_close(lines.linear(x, bias), F.linear(x, whole, bias))


@pytest.mark.parametrize(
    ("name", "by_rows", "count"), [("rows", True, 2), ("columns", False, 3), ("a row and a bit", True, 2)]
)
def test_what_is_zero_is_not_kept(name: str, by_rows: bool, count: int) -> None:
    lines = Lines.of(CASES[name])
    assert (lines.by_rows, len(lines.index)) == (by_rows, count)
    assert lines.share == count / (6 if by_rows else 8)


def test_all_concepts_in_one_call_as_by_the_stacked_matrices() -> None:
    stacked = torch.stack([matrix([0, 1], None, 1), matrix([3], None, 2), matrix(None, [2, 5], 3)])
    x, bias = torch.randn(3 * 2, 4, 8), torch.randn(6)
    lines = LineWeights.cut(stacked.unbind())
    assert lines is not None
    whole = ConceptWeights(stacked)
    torch.testing.assert_close(lines.linear(x, bias), whole.linear(x, bias))
    torch.testing.assert_close(lines.only(1).linear(x[2:4], bias), whole.only(1).linear(x[2:4], bias))
    order = [2, 0, 1]
    torch.testing.assert_close(lines.reordered(order).linear(x, bias), whole.reordered(order).linear(x, bias))
    assert torch.equal(lines.reordered(order).of(0), stacked[2])


def test_one_corrected_concept_leaves_the_others_as_they_were() -> None:
    stacked = torch.stack([matrix([0, 1], None, 1), matrix([3], None, 2)])
    lines = LineWeights.cut(stacked.unbind())
    assert lines is not None
    other = stacked[1].index_put((torch.tensor(0), torch.tensor(0)), torch.tensor(1.0))
    corrected = lines.with_replaced(1, other)
    assert torch.equal(corrected.of(1), other)
    assert corrected.lines[0] is lines.lines[0]
    assert torch.equal(lines.of(1), stacked[1])


def test_gradients_reach_the_input() -> None:
    whole, bias = CASES["rows"], torch.randn(6)
    found = []
    for product in (Lines.of(whole).linear, lambda x, bias: F.linear(x, whole, bias)):
        x = torch.randn(5, 8, generator=torch.Generator().manual_seed(7)).requires_grad_()
        product(x, bias).square().sum().backward()
        found.append(x.grad)
    torch.testing.assert_close(found[0], found[1])


def test_scattered_weights_are_left_whole() -> None:
    scattered = torch.zeros(6, 8)
    scattered[range(6), range(6)] = 1
    assert Lines.of(scattered).share > WORTH
    assert LineWeights.cut([CASES["rows"], scattered]) is None


def test_halved_values_are_multiplied_in_bfloat16() -> None:
    lines = LineWeights.cut([CASES["rows"]])
    assert lines is not None
    half = lines.to(torch.bfloat16)
    x = torch.randn(1, 3, 8)
    with torch.autocast("cpu", torch.bfloat16):
        y = half.linear(x, torch.randn(6))
    assert y.dtype == torch.bfloat16
    assert torch.equal(lines.lines[0].values, Lines.of(CASES["rows"]).values)
