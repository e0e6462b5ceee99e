"""The Kubernetes API: configuration, a thin typed client, list and watch, caches, leases, events."""
