"""The real parts that the integration tests run against: a Kafka broker, a Prometheus server."""
