"""Tasks in the dialect of lm-evaluation-harness: those that come with it, by name, and YAML files of users."""
