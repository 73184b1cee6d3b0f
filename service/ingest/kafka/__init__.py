"""Kafka as a source: records as a member of a consumer group, and dead letters back."""
