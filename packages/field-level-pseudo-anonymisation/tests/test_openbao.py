import re
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import hvac
import pytest
from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from field_level_pseudo_anonymisation.openbao import OpenBao
from util_services.errors import DataServiceError
from util_services.servers import KeyServer, key_server

READ_ONLY = 'path "secret/data/encryption_keys/*" { capabilities = ["read"] }'


@pytest.fixture
def admin(vault: KeyServer) -> hvac.Client:
    return hvac.Client(url=vault.address, token=vault.token)


def environment(vault: KeyServer, **changes: str) -> dict[str, str]:
    return {"VAULT_ADDR": vault.address, "VAULT_TOKEN": vault.token, **changes}


def token(admin: hvac.Client, policy: str, name: str) -> str:
    admin.sys.create_or_update_policy(name, policy)
    made: str = admin.auth.token.create(policies=[name], ttl="1h")["auth"]["client_token"]
    return made


def put(admin: hvac.Client, name: str, **data: Any) -> None:
    admin.secrets.kv.v2.create_or_update_secret(f"encryption_keys/{name}", data)


def test_a_created_key_is_fetched_with_every_version_that_rotation_made(vault: KeyServer) -> None:
    store = OpenBao(environment(vault))
    store.create("rotated")
    assert [store.rotate("rotated") for _ in range(2)] == [2, 3]
    key = store.key("rotated")
    assert sorted(key.versions) == [1, 2, 3]
    assert len(set(key.versions.values())) == 3
    assert store.version_numbers("rotated") == [1, 2, 3]


def test_keys_lie_where_the_platform_expects_them(vault: KeyServer, admin: hvac.Client) -> None:
    material = Fernet.generate_key().decode()
    put(admin, "contract", key=material)
    assert OpenBao(environment(vault)).key("contract").fernet_keys() == [material]


def test_a_newline_after_a_key_stored_from_a_file_does_not_count(vault: KeyServer, admin: hvac.Client) -> None:
    material = Fernet.generate_key().decode()
    put(admin, "newline", key=f"{material}\n")
    assert OpenBao(environment(vault)).key("newline").fernet_keys() == [material]


def test_deleted_and_destroyed_versions_are_skipped(vault: KeyServer, admin: hvac.Client) -> None:
    store = OpenBao(environment(vault))
    store.create("thinned")
    for _ in range(3):
        store.rotate("thinned")
    path = "encryption_keys/thinned"
    admin.secrets.kv.v2.destroy_secret_versions(path, [2])
    admin.secrets.kv.v2.delete_secret_versions(path, [4])
    assert sorted(store.key("thinned").versions) == store.version_numbers("thinned") == [1, 3]


def test_a_key_without_versions_left_is_told_apart_from_an_unknown_one(vault: KeyServer, admin: hvac.Client) -> None:
    store = OpenBao(environment(vault))
    store.create("emptied")
    admin.secrets.kv.v2.destroy_secret_versions("encryption_keys/emptied", [1])
    with pytest.raises(DataServiceError, match="'emptied' has no version left"):
        store.key("emptied")


def test_rotation_keeps_more_versions_than_the_engine_would(vault: KeyServer, admin: hvac.Client) -> None:
    put(admin, "long-lived", key=Fernet.generate_key().decode(), owner="clinic")
    admin.secrets.kv.v2.update_metadata("encryption_keys/long-lived", max_versions=2)
    store = OpenBao(environment(vault))
    for _ in range(12):
        store.rotate("long-lived")
    assert sorted(store.key("long-lived").versions) == list(range(1, 14))
    newest = admin.secrets.kv.v2.read_secret_version("encryption_keys/long-lived", raise_on_deleted_version=True)
    assert newest["data"]["data"]["owner"] == "clinic"


def test_create_refuses_to_overwrite_a_key_even_a_deleted_one(vault: KeyServer, admin: hvac.Client) -> None:
    store = OpenBao(environment(vault))
    store.create("taken")
    with pytest.raises(DataServiceError, match="'taken' exists already"):
        store.create("taken")
    admin.secrets.kv.v2.delete_latest_version_of_secret("encryption_keys/taken")
    with pytest.raises(DataServiceError, match="'taken' exists already or did before"):
        store.create("taken")


def test_a_key_is_fetched_once_a_run(vault: KeyServer) -> None:
    store = OpenBao(environment(vault))
    store.create("steady")
    before = store.key("steady")
    OpenBao(environment(vault)).rotate("steady")
    assert store.key("steady") is before


def test_reading_keys_takes_read_on_their_data_alone(vault: KeyServer, admin: hvac.Client) -> None:
    OpenBao(environment(vault)).create("readable")
    reader = OpenBao(environment(vault, VAULT_TOKEN=token(admin, READ_ONLY, "reader")))
    assert list(reader.key("readable").versions) == [1]
    with pytest.raises(DataServiceError, match="denies access to the key 'readable'"):
        reader.rotate("readable")
    with pytest.raises(DataServiceError, match="denies access to the key 'new'"):
        reader.create("new")
    with pytest.raises(DataServiceError, match="denies access to the list of keys"):
        reader.names()


def test_an_unknown_key_is_told_with_the_nearest_name_where_listing_is_allowed(
    vault: KeyServer, admin: hvac.Client
) -> None:
    OpenBao(environment(vault)).create("patients")
    with pytest.raises(DataServiceError, match=re.escape("The key 'patient' does not exist: did you mean 'patients'?")):
        OpenBao(environment(vault)).key("patient")
    reader = OpenBao(environment(vault, VAULT_TOKEN=token(admin, READ_ONLY, "reader")))
    with pytest.raises(DataServiceError, match="'patient' does not exist: check the name, or create it"):
        reader.key("patient")


def test_a_revoked_token_is_told_apart_from_a_missing_permission(vault: KeyServer, admin: hvac.Client) -> None:
    OpenBao(environment(vault)).create("guarded")
    revoked = token(admin, READ_ONLY, "reader")
    admin.auth.token.revoke(revoked)
    with pytest.raises(DataServiceError, match="rejects the token, as it is wrong, revoked or expired") as caught:
        OpenBao(environment(vault, VAULT_TOKEN=revoked)).key("guarded")
    assert revoked not in str(caught.value)
    other = token(admin, 'path "secret/data/other" { capabilities = ["read"] }', "other")
    with pytest.raises(DataServiceError, match="denies access to the key 'guarded'"):
        OpenBao(environment(vault, VAULT_TOKEN=other)).key("guarded")


@pytest.mark.parametrize("data", [{"other": "x"}, {"key": 5}, {"key": "c2hvcnQ="}])
def test_a_malformed_key_is_told_without_showing_it(vault: KeyServer, admin: hvac.Client, data: dict[str, Any]) -> None:
    put(admin, "malformed", **data)
    with pytest.raises(DataServiceError, match="store 32 random bytes, URL-safe Base64") as caught:
        OpenBao(environment(vault)).key("malformed")
    assert "c2hvcnQ" not in str(caught.value)


def test_another_mount_and_prefix_can_be_named(vault: KeyServer, admin: hvac.Client) -> None:
    admin.sys.enable_secrets_engine("kv", path="team/kv", options={"version": "2"})
    store = OpenBao(environment(vault, VAULT_MOUNT="team/kv", VAULT_PREFIX="/simpl/keys/"))
    assert store.names() == []
    store.create("elsewhere")
    assert store.names() == ["elsewhere"]
    assert "elsewhere" not in OpenBao(environment(vault)).names()


def test_a_mount_without_an_engine_is_named(vault: KeyServer) -> None:
    store = OpenBao(environment(vault, VAULT_MOUNT="absent"))
    for ask in (lambda: store.key("any"), store.names):
        with pytest.raises(DataServiceError, match="no Key Value engine of version 2 at 'absent'"):
            ask()


def test_an_app_role_logs_in(vault: KeyServer, admin: hvac.Client) -> None:
    OpenBao(environment(vault)).create("by-role")
    admin.sys.create_or_update_policy("reader", READ_ONLY)
    admin.sys.enable_auth_method("approle", path="roles")
    admin.auth.approle.create_or_update_approle("pods", token_policies=["reader"], mount_point="roles")
    role = admin.auth.approle.read_role_id("pods", mount_point="roles")["data"]["role_id"]
    secret = admin.auth.approle.generate_secret_id("pods", mount_point="roles")["data"]["secret_id"]
    settings = {"VAULT_ADDR": vault.address, "VAULT_ROLE_ID": role, "VAULT_AUTH_MOUNT": "roles"}
    assert OpenBao(settings | {"VAULT_SECRET_ID": secret}).key("by-role").newest == 1
    with pytest.raises(DataServiceError, match="refuses the login: check VAULT_ROLE_ID"):
        OpenBao(settings | {"VAULT_SECRET_ID": "wrong"}).key("by-role")
    with pytest.raises(DataServiceError, match="VAULT_SECRET_ID is not set although its counterpart is"):
        OpenBao(settings)


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A certificate for localhost that signed itself; its key lies beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    pem = serialization.Encoding.PEM
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    path = tmp_path / "authority.pem"
    path.write_bytes(certificate.public_bytes(pem))
    return path


class TokenReviewer(BaseHTTPRequestHandler):
    """The one call of a Kubernetes API server that a login needs: it vouches for the service account."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = b"""{"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "status": {"authenticated": true,
            "user": {"username": "system:serviceaccount:simpl:dagster", "uid": "account-1"}}}"""
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def kubernetes() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), TokenReviewer) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def service_account_token() -> str:
    import base64
    import json

    def part(content: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    claims = {
        "iss": "kubernetes/serviceaccount",
        "sub": "system:serviceaccount:simpl:dagster",
        "kubernetes.io": {"namespace": "simpl", "serviceaccount": {"name": "dagster", "uid": "account-1"}},
    }
    return f"{part({'alg': 'RS256', 'typ': 'JWT'})}.{part(claims)}.c2lnbmF0dXJl"


def test_the_service_account_of_a_pod_logs_in(
    vault: KeyServer, admin: hvac.Client, kubernetes: str, authority: Path, tmp_path: Path
) -> None:
    OpenBao(environment(vault)).create("by-pod")
    admin.sys.create_or_update_policy("reader", READ_ONLY)
    admin.sys.enable_auth_method("kubernetes")
    jwt = tmp_path / "token"
    jwt.write_text(service_account_token() + "\n")
    reviewer = service_account_token()
    admin.auth.kubernetes.configure(kubernetes, token_reviewer_jwt=reviewer, kubernetes_ca_cert=authority.read_text())
    admin.auth.kubernetes.create_role("runs", "dagster", "simpl", policies=["reader"])
    settings = {"VAULT_ADDR": vault.address, "VAULT_KUBERNETES_ROLE": "runs", "VAULT_KUBERNETES_TOKEN_FILE": str(jwt)}
    assert OpenBao(settings).key("by-pod").newest == 1
    with pytest.raises(DataServiceError, match="refuses the login"):
        OpenBao(settings | {"VAULT_KUBERNETES_ROLE": "strangers"}).key("by-pod")
    with pytest.raises(DataServiceError, match="service account token of this pod cannot be read"):
        OpenBao(settings | {"VAULT_KUBERNETES_TOKEN_FILE": str(tmp_path / "none")}).key("by-pod")


def test_an_unreachable_store_is_told_without_its_address() -> None:
    with socket.socket() as bound:  # bound but not listening, so that nobody answers there
        bound.bind(("127.0.0.1", 0))
        store = OpenBao({"VAULT_ADDR": f"http://127.0.0.1:{bound.getsockname()[1]}", "VAULT_TOKEN": "t0ken"})
        with pytest.raises(DataServiceError, match="could not be reached") as caught:
            store.key("any")
    assert "127.0.0.1" not in str(caught.value)
    assert "t0ken" not in repr(store)


def test_a_sealed_store_is_told(tmp_path: Path) -> None:
    with key_server(tmp_path / "sealed") as server:
        hvac.Client(url=server.address, token=server.token).sys.seal()
        with pytest.raises(DataServiceError, match="sealed or down: ask its operator to unseal it"):
            OpenBao(environment(server)).key("any")


class Flaky(BaseHTTPRequestHandler):
    """Fails twice, then answers as OpenBao does."""

    failures = 2
    answer = b""

    def do_GET(self) -> None:
        failing = type(self).failures > 0
        type(self).failures -= 1
        self.send_response(502 if failing else 200)
        self.send_header("Content-Length", "0" if failing else str(len(self.answer)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if not failing:
            self.wfile.write(self.answer)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def flaky() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), Flaky) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def test_passing_faults_are_retried(flaky: HTTPServer) -> None:
    material = Fernet.generate_key().decode()
    Flaky.answer = f'{{"data": {{"data": {{"key": "{material}"}}, "metadata": {{"version": 1}}}}}}'.encode()
    store = OpenBao({"VAULT_ADDR": f"http://127.0.0.1:{flaky.server_port}", "VAULT_TOKEN": "t"})
    assert store.key("any").fernet_keys() == [material]


def test_a_server_that_is_no_key_store_is_told(flaky: HTTPServer) -> None:
    Flaky.failures, Flaky.answer = 0, b"<html>"
    with pytest.raises(DataServiceError, match="answered in an unknown way"):
        OpenBao({"VAULT_ADDR": f"http://127.0.0.1:{flaky.server_port}", "VAULT_TOKEN": "t"}).key("any")


def test_a_certificate_is_checked_against_the_given_authority(
    flaky: HTTPServer, authority: Path, tmp_path: Path
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority, tmp_path / "key.pem")
    flaky.socket = context.wrap_socket(flaky.socket, server_side=True)
    material = Fernet.generate_key().decode()
    Flaky.failures = 0
    Flaky.answer = f'{{"data": {{"data": {{"key": "{material}"}}, "metadata": {{"version": 1}}}}}}'.encode()
    settings = {"VAULT_ADDR": f"https://localhost:{flaky.server_port}", "VAULT_TOKEN": "t"}
    with pytest.raises(DataServiceError, match="certificate of the key store is not trusted: set VAULT_CACERT"):
        OpenBao(settings).key("any")
    assert OpenBao(settings | {"VAULT_CACERT": str(authority)}).key("any").fernet_keys() == [material]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"VAULT_ADDR": "openbao:8200"}, "VAULT_ADDR is not a URL"),
        ({"VAULT_ADDR": "http://user:secret@host"}, "VAULT_ADDR is not a URL"),
        ({"VAULT_CACERT": "/none"}, "VAULT_CACERT does not name a file"),
        ({"VAULT_MOUNT": "../sys"}, "VAULT_MOUNT is not a path"),
        ({"VAULT_PREFIX": "a//b"}, "VAULT_PREFIX is not a path"),
        ({"VAULT_TOKEN": ""}, "No credentials for the key store are configured"),
    ],
)
def test_a_wrong_setting_is_named_but_not_shown(settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(DataServiceError, match=sentence) as caught:
        OpenBao({"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_TOKEN": "t", **settings})
    assert not [value for value in settings.values() if value and value in str(caught.value)]


@pytest.mark.parametrize("name", ["", "../other", "a/b", ".hidden", "a b", "ключ", "x" * 129, "a\n"])
def test_a_key_name_cannot_lead_elsewhere(vault: KeyServer, name: str) -> None:
    store = OpenBao(environment(vault))
    for use in (store.key, store.create, store.rotate, store.version_numbers):
        with pytest.raises(DataServiceError, match=r"The key name .* is malformed"):
            use(name)
