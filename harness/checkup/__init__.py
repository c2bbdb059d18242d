"""What a machine, a cluster and the plan of a run need, and what of it is here: `emergence doctor`."""
