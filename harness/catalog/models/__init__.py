"""Models before any weights are loaded: their folders, checkpoints, sizes, revisions and tokenizers."""
