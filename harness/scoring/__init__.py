"""Pure functions of (prediction, reference), and the sandbox that runs model-written code."""
