"""A workload on a virtual clock, under the decision core that runs in the cluster. Pure; `cli` calls it."""
