"""From the frozen report to /metrics and pages."""
