"""Treatments that train a loaded model on the task that it is asked: what it learns from, how, and what is kept."""

from harness.engines.tuning.tuner import Tuner

__all__ = ["Tuner"]
