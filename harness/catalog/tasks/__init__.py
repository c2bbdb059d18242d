"""Task files: their config and data, checked before anything runs, and the tasks that are made of them."""
