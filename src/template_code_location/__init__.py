"""The code location of a data space participant: all data services, and a place for jobs of its own."""
