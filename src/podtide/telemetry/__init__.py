"""What the controller shows of itself: metrics, probes, logs, recordings."""
