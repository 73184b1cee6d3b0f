"""What holds for every test: the same examples on every machine and in every run."""

import os

from hypothesis import settings

# No deadline: a busy machine is no failure. `HYPOTHESIS_PROFILE=explore` looks for new examples.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))
