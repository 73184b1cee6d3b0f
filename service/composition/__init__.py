"""Concrete parts put together: one process alone, a worker, the judge; and settings into values."""
