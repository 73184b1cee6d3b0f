"""The dashboards of Grafana, as a program: `python -m deploy.grafana` writes dashboards/*.json."""
