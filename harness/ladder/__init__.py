"""The embedded model family: a synthetic world, and small Llama checkpoints trained on it.

A machine without access to a model hub can still evaluate real models: checkpoints of two thousand to 870 thousand
parameters, each size trained several times, are in ``weights/`` and load with the Auto classes of ``transformers``.
The synthetic world generates both their training text and the held-out benchmark documents under ``tasks/``.

Importing this package loads no other library. ``family``, ``world``, ``benchmark`` and what they import need only
the standard library; ``tokenizer``, ``model``, ``packing``, ``train``, ``training`` and ``evaluate`` import torch,
transformers or numpy, and nothing outside this folder imports them. See README.md for the model card.
"""
