"""Run the same pure function here, in threads, or (later) on a cluster."""
