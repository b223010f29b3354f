"""Outside → movements, observations, orders, positions, signals, or findings."""
