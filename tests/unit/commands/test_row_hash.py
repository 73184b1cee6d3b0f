"""What tells the rows of one data set from those of another."""

import numpy as np
import pytest

from detectors.summary.profile import INVALID_VALUE
from service.commands.row_hash import RowHash
from service.ingest.files.table_columns import coded_values
from service.ingest.files.tables import Table


def hash_of(*tables):
    found = RowHash()
    for table in tables:
        found.update(table)
    return found.hex()


def table(values, amounts, **probabilities):
    columns = {"value": coded_values(values), "amount": np.array(amounts, dtype=np.float64)}
    found = {name: np.array(shares) for name, shares in probabilities.items()}
    return Table(len(amounts), columns, found)


ROWS = table(["a", "b", None, True, 1.0, INVALID_VALUE], [0.0, 1, np.nan, np.inf, 2, 3])


def test_order_and_split_of_rows_play_no_part():
    values, amounts = ["a", "b", None, True, 1.0, INVALID_VALUE], [0.0, 1, np.nan, np.inf, 2, 3]
    order = [3, 5, 0, 4, 1, 2]
    parts = [
        table([values[i] for i in some], [amounts[i] for i in some])
        for some in (order[:2], order[2:3], order[3:])
    ]
    assert hash_of(*parts) == hash_of(ROWS)
    one, other = RowHash(), RowHash()
    one.update(parts[0])
    other.update(parts[1])
    other.update(parts[2])
    one.merge(other)
    assert one.hex() == hash_of(ROWS)


def test_a_column_that_is_not_there_is_one_of_missing_values():
    bare = Table(2, {"amount": np.array([1.0, 2.0])})
    assert hash_of(table([None, None], [1, 2])) == hash_of(bare)


@pytest.mark.parametrize(
    "other",
    [
        table(["b", "a", None, True, 1.0, INVALID_VALUE], [0.0, 1, np.nan, np.inf, 2, 3]),
        table(["a", "b", None, "True", 1.0, INVALID_VALUE], [0.0, 1, np.nan, np.inf, 2, 3]),
        table(["a", "b", None, True, "1.0", INVALID_VALUE], [0.0, 1, np.nan, np.inf, 2, 3]),
        table(["a", "b", None, True, 1.0, None], [0.0, 1, np.nan, np.inf, 2, 3]),
        table(["a", "b", None, True, 1.0, INVALID_VALUE], [0.0, 1, np.nan, np.inf, 3, 2]),
        table(["a", "b", None, True, 1.0, INVALID_VALUE], [5e-324, 1, np.nan, np.inf, 2, 3]),
        table(["a", "b", None, True, 1.0], [0.0, 1, np.nan, np.inf, 2]),
    ],
)
def test_other_rows_have_another_hash(other):
    assert hash_of(other) != hash_of(ROWS)


def test_rows_of_nothing_count_and_so_do_probabilities_and_how_often_a_row_is_there():
    nothing = table([None], [np.nan])
    assert len({hash_of(), hash_of(nothing), hash_of(nothing, nothing)}) == 3
    with_classes = table(["a"], [1], a=[0.4])
    assert hash_of(with_classes) != hash_of(table(["a"], [1]))


def test_both_zeros_are_one_number():
    assert hash_of(table(["a"], [-0.0])) == hash_of(table(["a"], [0.0]))
