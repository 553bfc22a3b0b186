"""Jobs of this code location."""
