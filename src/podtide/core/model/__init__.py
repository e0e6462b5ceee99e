"""What flows through the core: frozen types, one module per station of the data path."""
