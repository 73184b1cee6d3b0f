"""Detectors of change: incremental, weighted, with flat state."""
