"""Runs on a Ray cluster while a seeded adversary kills processes, nodes and the command: nothing may be lost.

`make chaos` goes through many seeds and prints how many faults were injected and what became of them.
"""
