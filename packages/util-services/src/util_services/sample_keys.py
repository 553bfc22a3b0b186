"""The key that bundled sample data was made with: published here, so that it protects nothing.

``simpl-local`` and the tests store it, so that the jobs that turn pseudonyms back run on sample data as they stand.
Services refuse it on any other key store.
"""

SAMPLE_KEY_NAME = "example"
SAMPLE_KEY = "cHVibGlzaGVkIHNhbXBsZSBrZXk6IG5vIHNlY3JldCE="
"""A Fernet key: the Base64 of a sentence that says what it is."""
