"""What is served over HTTP: probes and metrics, read only."""
