"""All detectors over the streams of one model version: windows, seasons, drift."""
