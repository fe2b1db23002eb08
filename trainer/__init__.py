"""Reinforcement learning on verified rewards."""
