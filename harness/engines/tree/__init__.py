"""The tree engine: token sequences with a common prefix run it once, and logits are computed only for scored tokens.

`trees` decides which tokens are shared, `attention` makes a transformers model attend along a token tree, and `model`
runs one forward pass. `generation` writes texts in the slots of a KV cache, `answering` answers all requests of a cell
with both, `support` decides whether a model can be run this way, and `lm` offers the engine through lm-eval's
interface.
"""
