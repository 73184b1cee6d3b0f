"""Bytes to columns: sources, decoding, rejects."""
