"""Pure judgement: references, shards, windows, judge."""
