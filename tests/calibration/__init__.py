"""Verdicts against simulated truth, run by `make calibrate`: what the verdicts find, miss and get wrong."""
