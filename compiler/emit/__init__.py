"""Emission: a plan in, text out. `numpy` is the first target."""
