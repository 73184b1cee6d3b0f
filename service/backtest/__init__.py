"""A replay as a backtest: what is kept of it, and what other settings would have made of it."""
