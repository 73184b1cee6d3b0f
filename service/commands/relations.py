"""How the numeric columns of training data are related: two further passes over the files."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.joint import JointMoments, Projection, reconstruction_errors
from detectors.summary.profile import Profile
from service.ingest.files.table_columns import numbers_of
from service.ingest.files.tables import Table
from service.monitor.references.reference import scaling_to_learn, with_joint, with_projection
from service.values.references import Reference
from service.values.streams import Kind, StreamKey

ReadAgain = Callable[[str], Iterable[Table]]
"""Reads the tables from the beginning, for the purpose given."""


def with_relations(
    reference: Reference, columns: Mapping[str, StreamKey | None], read_again: ReadAgain
) -> Reference:
    """The reference with its projection and the cells of the reconstruction error.

    `columns` are the streams of the tables' columns. Of fewer than two numeric inputs that vary
    nothing is read; where they are not related it is only noted that they are not. Neither the
    order of the rows nor how they are split into tables plays a part.
    """
    scaling = scaling_to_learn(reference.streams)
    if scaling is None:
        return reference
    inputs = ((key, name) for name, key in columns.items() if key and key.kind is Kind.INPUT)
    names = {key.name: name for key, name in inputs}
    moments = JointMoments(len(scaling))
    for table in read_again("relations"):
        moments.update(scaling, _matrix(table, [names[f] for f in scaling.features]))
    projection = Projection.of_moments(scaling, moments)
    if not projection:
        return with_projection(reference, projection)
    # The rows that it was fitted to lie a little closer than those to come, but by no more than the
    # projection allows for. No factor may make up for it: values with an atom would miss it then.
    errors = Profile()
    for table in read_again("joint stream"):
        numbers = _matrix(table, [names[f] for f in projection.features])
        errors.update_numbers(reconstruction_errors(projection, numbers))
    return with_joint(reference, projection, errors)


def _matrix(table: Table, columns: Sequence[str]) -> NDArray[np.float64]:
    """Shape (rows, columns), NaN = missing, which a column is that the table lacks."""
    matrix = np.full((table.rows, len(columns)), np.nan)
    for position, name in enumerate(columns):
        if name in table.columns:
            matrix[:, position] = numbers_of(table.columns[name])
    return matrix
