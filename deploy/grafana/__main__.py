"""Write dashboards/*.json anew; a test holds them to be what this writes."""

from deploy.grafana.rendering import DIRECTORY, rendered

for name, text in rendered().items():
    (DIRECTORY / name).write_text(text, "utf-8")
