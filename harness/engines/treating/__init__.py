"""What treatments do to the weights of a loaded model: rounding, pruning, and what is measured of it."""

from harness.engines.treating.variant import treat

__all__ = ["treat"]
