"""What a process does for ever: alone, as a worker, as the judge; and what turns are made of."""
