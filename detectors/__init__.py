"""Mathematics of drift on arrays: no clock, no network, no settings."""
