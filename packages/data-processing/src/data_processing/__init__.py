"""Cleaning and transformation of tables."""
