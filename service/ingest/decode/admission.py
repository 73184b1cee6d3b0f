"""Names as they are admitted: bounded, printable, never able to break a page or a label."""

import unicodedata
from hashlib import blake2b

NAME_BYTES_MAX = 128
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_REPLACED = frozenset({"Cc", "Cs", "Zl", "Zp"})
_HASH_CHARACTERS = 12
_MEMO_MAX = 20_000


def clean_name(name: str) -> str:
    """A name of at most 128 bytes of UTF-8 without control characters, surrogates, line breaks.

    What is replaced becomes U+FFFD; so does an empty name. A longer name is cut and ends in a hash
    of the whole, so that two long names stay two. A clean name is returned as it is.
    """
    if name.isascii() and name.isprintable() and 0 < len(name) <= NAME_BYTES_MAX:
        return name
    return clean_text(name) or REPLACEMENT


def clean_text(text: str) -> str:
    """`clean_name` for a category's text, which may be empty."""
    if text.isascii() and text.isprintable() and len(text) <= NAME_BYTES_MAX:
        return text
    shortened = text[: NAME_BYTES_MAX + 1]
    cleaned = "".join(
        REPLACEMENT if unicodedata.category(character) in _REPLACED else character
        for character in shortened
    )
    encoded = cleaned.encode()
    if len(encoded) <= NAME_BYTES_MAX:
        return cleaned
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HASH_CHARACTERS // 2)
    kept = encoded[: NAME_BYTES_MAX - _HASH_CHARACTERS - 1].decode("utf-8", "ignore")
    return f"{kept}~{digest.hexdigest()}"


class Names(dict[str, str]):
    """Raw name -> clean name, remembered for the first 20,000 names."""

    def __missing__(self, name: str) -> str:
        cleaned = clean_name(name)
        if len(self) < _MEMO_MAX:
            self[name] = cleaned
        return cleaned
