"""Techniques that make pseudonyms of values, one small definition each."""
