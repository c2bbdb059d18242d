"""Trained variants."""
