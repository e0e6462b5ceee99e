"""Knative's autoscaler on any source: `algorithm` is what `registry` names, `decider` its arithmetic."""
