"""What crosses from workers to the judge, as records of a topic."""
