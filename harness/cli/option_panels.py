"""Groups of options in the help of `run` and of the verbs that take its options."""

MODELS, ASKED = "Which models", "What is asked"
WHERE, HOW = "Where they run", "How they run"
AGREED, STORED = "What is agreed to", "Results"
