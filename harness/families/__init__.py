"""Model families that come with the harness, one YAML each."""
