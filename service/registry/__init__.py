"""References between processes: a topic of references and of what is in force from when."""
