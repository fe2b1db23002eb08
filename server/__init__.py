"""The gateway: an OpenAI-compatible API over supervised engine processes."""
