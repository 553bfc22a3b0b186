"""Texts that are larger than memory: UTF-8 in a private file, read a piece at a time."""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from util_services.errors import DataServiceError

PIECE_CHARACTERS = 1 << 20
_LONGEST = 8 << 20  # a stretch without a space that is longer is no text
_BLOCK_BYTES = 1 << 20
# Lone surrogates, which some codecs and ops produce, pass through staging as they are.
_ERRORS = "surrogatepass"
_PARAGRAPH_ENDS = ("\n\n", "\n\r\n")
_PAUSE = r"[\s\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f]"  # spaces, and the marks of scripts without any
_WORD_END = re.compile(_PAUSE)
_LAST_WORD_END = re.compile(f".*{_PAUSE}", re.DOTALL)


@dataclass(frozen=True)
class Text:
    r"""A text in a file.

    Attributes:
        path: A file of this process's own, in UTF-8, that nobody writes to any more.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     text = Text.write(["Dear ", "Ann,\n"], Path(folder, "letter"))
        ...     text.read(), list(text.pieces(6))
        ('Dear Ann,\n', ['Dear ', 'Ann,\n'])
    """

    path: Path

    @classmethod
    def write(cls, blocks: Iterable[str], path: Path) -> "Text":
        """Store a text in a new file with mode 0600, a block at a time.

        Args:
            blocks: The text, cut anywhere.
            path: Where to; what is there is replaced. Removed again if the blocks end with an exception.
        """
        path.unlink(missing_ok=True)
        path.touch(mode=0o600)
        try:
            with path.open("wb") as file:
                for block in blocks:
                    file.write(block.encode("utf-8", _ERRORS))
        except BaseException:
            path.unlink()
            raise
        return cls(path)

    def blocks(self) -> Iterator[str]:
        """Give the text in blocks of about 1 MB, cut anywhere."""
        with self.path.open("rb") as file:
            yield from decoded(iter(lambda: file.read(_BLOCK_BYTES), b""), "utf-8", _ERRORS)

    def pieces(self, characters: int = PIECE_CHARACTERS) -> Iterator[str]:
        """Give the text in pieces as :func:`cut` does."""
        return cut(self.blocks(), characters)

    def read(self) -> str:
        """Give the whole text, which then is in memory."""
        return "".join(self.blocks())


def decoded(blocks: Iterable[bytes], encoding: str, errors: str = "strict") -> Iterator[str]:
    """Decode a stream of bytes that is cut anywhere, also within a character.

    Args:
        blocks: The bytes.
        encoding: Any Python text codec.
        errors: What to do with malformed bytes, as for :meth:`bytes.decode`.

    Raises:
        UnicodeError: If the bytes are not valid in the encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    for block in blocks:
        if text := decoder.decode(block):
            yield text
    if text := decoder.decode(b"", final=True):
        yield text


def encoded(blocks: Iterable[str], encoding: str) -> Iterator[bytes]:
    """Encode a stream of text; a byte order mark, if the codec writes one, is written once.

    Raises:
        UnicodeError: If the encoding has no such character.
    """
    encoder = codecs.getincrementalencoder(encoding)()
    for block in blocks:
        yield encoder.encode(block)
    yield encoder.encode("", final=True)


def cut(blocks: Iterable[str], characters: int) -> Iterator[str]:
    r"""Cut a text where a reader would pause, so that names and tokens stay in one piece.

    A cut is made behind the last blank line in the second half of a piece, else behind its last line end, else behind
    its last space or ideographic punctuation mark. Where there is none, the piece is longer.

    Args:
        blocks: The text, cut anywhere.
        characters: Longest piece.

    Returns:
        Pieces that make up the text, none of them empty.

    Raises:
        DataServiceError: If more than 8,388,608 characters in a row offer no place to cut.

    Examples:
        >>> list(cut(["one two\nthr", "ee four"], 9))
        ['one two\n', 'three ', 'four']
    """
    left = ""
    for block in blocks:
        left += block
        start = 0
        while len(left) - start > characters and (end := _end_of_piece(left, start, characters)):
            yield left[start:end]
            start = end
        left = left[start:]
        if len(left) > max(_LONGEST, characters):
            raise DataServiceError(
                f"The text has more than {_LONGEST:,} characters in a row without a space or line end: break it into "
                "lines."
            )
    if left:
        yield left


def _end_of_piece(text: str, start: int, characters: int) -> int | None:
    limit = start + characters
    paragraph = max(_behind(text, mark, start + characters // 2, limit) for mark in _PARAGRAPH_ENDS)
    if end := paragraph or _behind(text, "\n", start, limit):
        return end
    if last := _LAST_WORD_END.match(text, start, limit):
        return last.end()
    following = _WORD_END.search(text, limit)
    return following.end() if following else None


def _behind(text: str, mark: str, start: int, end: int) -> int:
    """Give the place behind the last occurrence of a mark, 0 if there is none."""
    at = text.rfind(mark, start, end)
    return at + len(mark) if at >= 0 else 0
