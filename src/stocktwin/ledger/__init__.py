"""What happened: append-only, double entry, two clocks."""
