"""Pieces of expressions that several recognisers are made of."""

URL_CHARACTER = r"[^\s<>\"'“”«»„`\p{Han}。，；！？、（）]"
URL_END = r"[^\s<>\"'“”«»„`\p{Han}。，；！？、（）.,;:!?)\]}*_]"

LATIN_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"  # of a domain name
