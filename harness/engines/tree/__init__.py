"""The tree engine: sequences that begin alike are run once, and logits are computed only where a token is scored.

`trees` decides what is shared, `attention` makes a transformers model attend along a tree, `model` runs one pass,
`generation` writes texts in slots, `answering` puts them together, `support` says which models can be taken, and `lm`
is the result behind lm-eval's interface.
"""
