"""What was seen of each model in each partition: panes, shards, books; and what a judge is told."""
