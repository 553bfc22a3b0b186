import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from util_services.errors import DataServiceError
from util_services.texts import Text, cut, decoded, encoded

BITS = st.text(st.sampled_from("ab \n\r\u3002é\U0001d6fc"), max_size=60)


@given(blocks=st.lists(BITS, max_size=5), characters=st.integers(1, 20))
def test_pieces_make_up_the_text_and_are_cut_only_where_a_reader_would_pause(
    blocks: list[str], characters: int
) -> None:
    pieces = list(cut(blocks, characters))
    assert "".join(pieces) == "".join(blocks)
    assert all(pieces)
    for piece in pieces[:-1]:
        assert re.search(r"[\s\u3002]\Z", piece)
    for piece in pieces:
        assert len(piece) <= characters or not re.search(r"[\s\u3002]", piece[:-1])


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("one two\n\nt\nthree four", "one two\n\n"),
        ("one t\r\n\r\nt\r\nthree", "one t\r\n\r\n"),
        ("o\n\none two\nthree four", "o\n\none two\n"),  # the blank line would make a short piece
        ("one two three four", "one two "),
        ("oneandtwoandthree four five", "oneandtwoandthree "),
    ],
)
def test_a_piece_ends_with_a_paragraph_else_a_line_else_a_word(text: str, first: str) -> None:
    assert next(cut([text], 12)) == first


def test_a_stretch_without_any_space_is_refused_rather_than_held_in_memory() -> None:
    with pytest.raises(DataServiceError, match="more than 8,388,608 characters in a row without a space"):
        list(cut(["x" * (1 << 20)] * 9, 1 << 20))


@given(text=st.text(), encoding=st.sampled_from(["utf-8-sig", "utf-16", "utf-32", "gb18030"]), size=st.integers(1, 5))
def test_characters_across_the_borders_of_blocks_survive(text: str, encoding: str, size: int) -> None:
    data = b"".join(encoded(text, encoding))
    assert "".join(decoded((data[at : at + size] for at in range(0, len(data), size)), encoding)) == text


@given(text=st.text(st.characters()))
def test_any_text_survives_in_a_file_of_this_process_alone(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "text"
    stored = Text.write(text, path)
    assert stored.read() == text
    assert path.stat().st_mode & 0o777 == 0o600


def test_of_a_text_that_fails_half_way_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        Text.write((str(1 // number) for number in (1, 0)), tmp_path / "text")
    assert not list(tmp_path.iterdir())
