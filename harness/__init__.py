"""Benchmark families of language models of increasing size and judge which abilities emerge, where, and how surely."""

__version__ = "0.4.0"
