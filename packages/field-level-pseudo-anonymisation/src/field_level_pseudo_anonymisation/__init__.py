"""Field-level pseudonymisation of tables and free text."""
