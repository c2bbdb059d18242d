"""The embedded model family: a synthetic world, and small Llama checkpoints trained on it.

A machine that reaches no model hub can still measure real models: eight checkpoints of 12 thousand to
1.9 million parameters lie in ``weights/`` and load with ``transformers``' Auto classes. The same world
that wrote their training text writes the held-out benchmark documents under ``tasks/``.

Importing this package is free. ``world`` and ``benchmark`` need only the standard library; ``tokenizer``,
``model``, ``packing`` and ``train`` import torch, transformers or numpy, and nothing outside this folder
imports them. See README.md for the model card.
"""
