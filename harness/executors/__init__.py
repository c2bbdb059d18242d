"""Where lanes run: in this process, or on Ray."""
