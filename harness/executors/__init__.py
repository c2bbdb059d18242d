"""Executors: run lanes, each the jobs of one model, in this process or on Ray."""
