"""Tests of the engine for encoders."""
