"""Anchorwatch for training pipelines: what normal looks like, told to the service that watches.

import anchorwatch

anchorwatch.reference(df, model="credit-risk", version="4", prediction="score").publish()
"""

from service.errors import AnchorwatchError, ConfigurationError, RecoverableError
from service.training import TrainingReference, reference

__all__ = [
    "AnchorwatchError",
    "ConfigurationError",
    "RecoverableError",
    "TrainingReference",
    "reference",
]
