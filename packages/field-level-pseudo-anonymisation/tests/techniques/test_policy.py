from field_level_pseudo_anonymisation.techniques.policy import Policy


def test_a_secret_lasts_for_as_long_as_pseudonyms_shall_be_linkable() -> None:
    secrets = {policy: [policy.secret(b"key", salt) for salt in (b"run 1", b"run 1", b"run 2")] for policy in Policy}
    assert secrets[Policy.DETERMINISTIC] == [b"key"] * 3
    first, again, other = secrets[Policy.DOCUMENT_RANDOMISED]
    assert first == again != other
    assert len(set(secrets[Policy.RANDOMISED])) == 3


def test_all_but_randomised_are_linkable() -> None:
    assert [policy for policy in Policy if not policy.linkable] == [Policy.RANDOMISED]
