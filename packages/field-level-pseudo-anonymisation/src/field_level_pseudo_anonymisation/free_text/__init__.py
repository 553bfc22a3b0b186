"""Pseudonyms inside free text: how they are written, recognised and restored."""
