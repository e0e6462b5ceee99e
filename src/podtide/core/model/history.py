"""Past proposals and scalings, as stabilisation and rates look back on them. Mutable; only `Memory` holds one."""
