"""Kubernetes' HorizontalPodAutoscaler on any source: `algorithm` is what `registry` names, the rest its calculator."""
