"""What treatments do to the weights of a loaded model: rounding, pruning, and what is measured of it."""

from harness.engines.treating.variant import forget_peak, peak_memory, treat

__all__ = ["forget_peak", "peak_memory", "treat"]
