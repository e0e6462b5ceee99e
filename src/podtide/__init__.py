"""Podtide: scrape the pods, decide like Knative, HPA or AIBrix, patch the scale, explain it."""

__version__ = "0.1.0"
