"""What a person sees of a training run, made of its log alone."""
