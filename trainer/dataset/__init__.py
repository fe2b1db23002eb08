"""Training data: problems, where they come from, how they are verified, and in which order they come."""
