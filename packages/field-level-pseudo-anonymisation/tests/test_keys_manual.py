import re
from pathlib import Path

import hvac
import pytest

from field_level_pseudo_anonymisation.openbao import OpenBao
from util_services.errors import DataServiceError
from util_services.servers import KeyServer

PACKAGE = Path(__file__).parents[1]
MANUAL = (PACKAGE / "docs" / "keys.md").read_text(encoding="utf-8")


def store(vault: KeyServer, policy: str) -> OpenBao:
    """Log in with a policy as the manual shows it."""
    (rules,) = re.findall(rf"```hcl\n# {policy}\n(.*?)```", MANUAL, re.DOTALL)
    admin = hvac.Client(url=vault.address, token=vault.token)
    admin.sys.create_or_update_policy(policy, rules)
    token = admin.auth.token.create(policies=[policy])["auth"]["client_token"]
    return OpenBao({"VAULT_ADDR": vault.address, "VAULT_TOKEN": token})


def test_the_policies_permit_what_the_manual_says_and_no_more(vault: KeyServer) -> None:
    keeper, runs = store(vault, "simpl-key-keepers"), store(vault, "simpl-runs")
    keeper.create("by-manual")
    assert keeper.rotate("by-manual") == 2
    assert "by-manual" in keeper.names()
    assert keeper.version_numbers("by-manual") == [1, 2]
    assert sorted(runs.key("by-manual").versions) == [1, 2]
    for forbidden in (lambda: runs.create("x"), lambda: runs.rotate("by-manual"), runs.names):
        with pytest.raises(DataServiceError, match="denies access"):
            forbidden()


def test_the_manual_lists_every_environment_variable() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (PACKAGE / "src").rglob("*.py"))
    used = set(re.findall(r'"((?:VAULT|KEY)_[A-Z_]+)"', code))
    listed = set(re.findall(r"`((?:VAULT|KEY)_[A-Z_]+)`", MANUAL))
    assert used == listed
