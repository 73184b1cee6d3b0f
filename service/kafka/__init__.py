"""Kafka itself: the connection, its record batches, and the topics that are ours."""
