"""Pure functions from results to conclusions: one package per question."""
