"""From bytes to columns: one decoder a source, by its mapping."""
