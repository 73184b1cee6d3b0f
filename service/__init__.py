"""Anchorwatch: from Kafka to metrics."""
