"""Variables of the environment about machines without a network."""

from __future__ import annotations

import os

MIRROR = "EMERGENCE_MIRROR"
"""Stands for the option --mirror."""
_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")


def go_offline() -> None:
    """Keep the libraries of Hugging Face from the network, here and in every process that is started from here.

    They look at these variables when they are first imported, and workers on other machines get them too.
    """
    os.environ.update(dict.fromkeys(_OFFLINE, "1"))
