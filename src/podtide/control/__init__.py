"""The controller: who decides when, and what follows. All asynchronous; nothing here computes replicas."""
