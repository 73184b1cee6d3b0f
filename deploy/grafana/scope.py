"""Which series the variables of a dashboard choose. Values with several choices need `=~`, and
double quotes: Grafana escapes them for those.
"""

INFO = 'anchorwatch_model_info{team=~"$team"}'

OF_TEAMS = f"and on (model) max by (model) ({INFO})"
"""Only models of the teams chosen. It cannot fail when a model is there twice, as a join would."""

OF_MODEL = 'model="$model", model_version=~"$version"'

HERE = 'instance=~"$instance"'

OF_OURS = f"and on (job, instance) anchorwatch_build_info{{{HERE}}}"
"""Of the figures that any process has: those of Anchorwatch's processes."""
