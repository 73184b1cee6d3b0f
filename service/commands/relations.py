"""How the numeric columns of training data are related: two further passes over the data."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.joint import JointMoments, Projection, reconstruction_errors
from detectors.scaling import Scaling
from detectors.summary.profile import Profile
from service.commands.gathering import Gather, State
from service.ingest.files.table_columns import numbers_of
from service.ingest.files.tables import Table
from service.monitor.references.reference import scaling_to_learn, with_joint, with_projection
from service.values.references import Reference
from service.values.streams import Kind, StreamKey


def with_relations(
    reference: Reference, columns: Mapping[str, StreamKey | None], gather: Gather
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
    related = Related(scaling, [names[feature] for feature in scaling.features])
    gather("relations", related)
    projection = Projection.of_moments(scaling, related.moments)
    if not projection:
        return with_projection(reference, projection)
    # The rows that it was fitted to lie a little closer than those to come, but by no more than the
    # projection allows for. No factor may make up for it: values with an atom would miss it then.
    unexplained = Unexplained(projection, [names[feature] for feature in projection.features])
    gather("joint stream", unexplained)
    return with_joint(reference, projection, unexplained.errors)


class Related:
    """The joint moments of the columns that `scaling` is of: a `Gathering` of one part."""

    def __init__(self, scaling: Scaling, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self.moments = JointMoments(len(scaling))
        self._scaling = scaling

    def add(self, table: Table) -> None:
        """Take the rows of a table."""
        self.moments.update(self._scaling, _matrix(table, self.columns))

    def parts(self) -> Mapping[str, State]:
        """The moments."""
        return {"moments": self.moments.state()}

    def absorb(self, part: str, state: State) -> None:  # noqa: ARG002 - there is one
        """Add the moments of other rows."""
        self.moments.merge(JointMoments.from_state(state))


class Unexplained:
    """The reconstruction errors by a projection: a `Gathering` of one part."""

    def __init__(self, projection: Projection, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self.errors = Profile()
        self._projection = projection

    def add(self, table: Table) -> None:
        """Take the rows of a table."""
        numbers = _matrix(table, self.columns)
        self.errors.update_numbers(reconstruction_errors(self._projection, numbers))

    def parts(self) -> Mapping[str, State]:
        """The profile of the errors."""
        return {"errors": self.errors.state()}

    def absorb(self, part: str, state: State) -> None:  # noqa: ARG002 - there is one
        """Add the errors of other rows."""
        self.errors.merge(Profile.from_state(state))


def _matrix(table: Table, columns: Sequence[str]) -> NDArray[np.float64]:
    """Shape (rows, columns), NaN = missing, which a column is that the table lacks."""
    matrix = np.full((table.rows, len(columns)), np.nan)
    for position, name in enumerate(columns):
        if name in table.columns:
            matrix[:, position] = numbers_of(table.columns[name])
    return matrix
