"""One module a kind of task: each grades an extracted answer on a bench."""
