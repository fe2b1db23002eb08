"""The loop: serve, train on spare capacity, judge what was learned, and let it answer the users."""
