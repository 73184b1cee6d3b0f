"""From verdicts on panes to the few events that people hear of."""
