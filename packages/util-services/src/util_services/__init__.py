"""Shared parts of Simpl-Open code locations: resources, sensors, logging, reading and writing data."""
