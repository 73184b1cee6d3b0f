"""Mergeable summaries: counts in cells, moments, quantiles, distinct counts, heavy hitters."""
