"""From results to curves and verdicts. Pure functions."""
