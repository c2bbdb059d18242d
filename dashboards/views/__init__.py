"""One file per page; each reads what `app` loaded, calls one analysis function and one drawing function."""
