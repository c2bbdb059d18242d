"""The embedded model family: a synthetic world, and small Llama checkpoints trained on it.

A machine without access to a model hub can still evaluate real models: eight checkpoints of 12 thousand to
1.9 million parameters are in ``weights/`` and load with the Auto classes of ``transformers``. The synthetic world
generates both their training text and the held-out benchmark documents under ``tasks/``.

Importing this package loads no other library. ``world`` and ``benchmark`` need only the standard library;
``tokenizer``, ``model``, ``packing`` and ``train`` import torch, transformers or numpy, and nothing outside this folder
imports them. See README.md for the model card.
"""
