import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest

from field_level_pseudo_anonymisation.keys import Key
from field_level_pseudo_anonymisation.techniques.policy import Policy
from field_level_pseudo_anonymisation.techniques.surrogate import KINDS, Surrogate
from field_level_pseudo_anonymisation.techniques.technique import Scope
from util_services.errors import DataServiceError

VERSIONS = {1: "A" * 43 + "=", 2: "B" * 42 + "A="}
TEXTS = ["", "Ann", "Bö", "😀", "x" * 10_000, *map(str, range(60))]


class Keys:
    def key(self, name: str) -> Key:
        return Key(name, VERSIONS)


def made(technique: Surrogate, scope: Scope | None = None, texts: list[str] = TEXTS) -> list[str]:
    return technique.transform(scope or Scope("name", Keys()))(pl.Series(texts)).to_list()


@pytest.mark.parametrize("kind", KINDS)
def test_equal_values_get_equal_stand_ins_of_the_kind_and_others_differ(kind: str) -> None:
    technique = Surrogate("k", kind, "fr_FR")
    results = made(technique)
    assert results == made(technique)
    assert results == list(reversed(made(technique, texts=list(reversed(TEXTS)))))
    assert len(set(results)) > len(TEXTS) / 3
    assert all(result and "\n" not in result for result in results)


@pytest.fixture
def _threads_switch_often() -> Iterator[None]:
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("_threads_switch_often")
def test_stand_ins_are_the_same_in_threads() -> None:
    transform = Surrogate("k", "name", "de_DE").transform(Scope("name", Keys()))
    here = transform(pl.Series(TEXTS)).to_list()
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: transform(pl.Series(TEXTS)).to_list(), range(8)))
    assert results == [here] * 8


def test_stand_ins_are_the_same_in_another_process() -> None:
    here = made(Surrogate("k", "name", "de_DE"))
    program = """if True:
        import polars as pl
        from field_level_pseudo_anonymisation.keys import Key
        from field_level_pseudo_anonymisation.techniques.surrogate import Surrogate
        from field_level_pseudo_anonymisation.techniques.technique import Scope
        class Keys:
            def key(self, name): return Key(name, {1: "A" * 43 + "=", 2: "B" * 42 + "A="})
        texts = pl.Series(["", "Ann", "Bö"])
        print(*Surrogate("k", "name", "de_DE").transform(Scope("name", Keys()))(texts), sep="|")
    """
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert shown.strip().split("|") == here[:3]


def test_stand_ins_depend_on_field_version_locale_and_policy() -> None:
    technique = Surrogate("k", "name")
    others = [
        made(technique, Scope("other", Keys())),
        made(Surrogate("k", "name", key_version=1)),
        made(Surrogate("k", "name", "it_IT")),
        made(Surrogate("k", "name", policy=Policy.DOCUMENT_RANDOMISED)),
    ]
    assert made(technique) not in others
    once = Scope("name", Keys())
    by_run = Surrogate("k", "name", policy=Policy.DOCUMENT_RANDOMISED)
    assert made(by_run, once) == made(by_run, once) != made(by_run)
    assert len(set(made(Surrogate("k", "name", policy=Policy.RANDOMISED), texts=["Ann"] * 20))) > 10


def test_a_wrong_kind_or_locale_is_told_with_the_nearest() -> None:
    with pytest.raises(
        DataServiceError, match=r"The kind 'fist_name' of surrogate is unknown: did you mean 'first_name'"
    ):
        Surrogate("k", "fist_name")
    with pytest.raises(DataServiceError, match="The locale 'de_DEE' is unknown: did you mean 'de_DE'"):
        made(Surrogate("k", "name", "de_DEE"))
