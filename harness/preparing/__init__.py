"""Download the models and data sets of a plan once, into a folder that `--mirror` reads."""
