"""Task suites that come with the harness: one folder per suite."""
