"""Snapshots: versioned bytes and where they are kept."""
