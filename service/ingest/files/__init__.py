"""Files: as a source of events, and as tables to build references from."""
