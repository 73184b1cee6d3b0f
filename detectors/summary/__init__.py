"""Mergeable summaries of what was seen: counts in cells, moments, quantiles, distinct, heavy hitters."""
