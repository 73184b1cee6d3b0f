"""Pure judgement, a room a step: counting, references, detecting, episodes, judging."""
