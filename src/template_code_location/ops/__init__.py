"""Ops of this code location."""
