"""The dashboard: pages over one results folder. Start it with `emergence dashboard`."""
