import pytest

from util_services.errors import DataServiceError
from util_services.settings import whole_number


@pytest.mark.parametrize("setting", ["", "-1", "0", "1.5", "²", "٣", "one"])  # signs that Python calls digits, too
def test_what_is_no_whole_number_is_refused_without_being_told(setting: str) -> None:
    with pytest.raises(DataServiceError) as refused:
        whole_number("LIMIT", setting, 7)
    assert str(refused.value) == "The environment variable LIMIT is not a whole number from 1: correct it."
