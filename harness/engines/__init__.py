"""Engines: each runs a model in its own way, and all implement `protocol.Engine`."""
