"""From the record of what was watched to an audit of one model: pure."""
