"""The version of the package, which every result and record carries."""

__version__ = "0.4.0"
