"""What is in deploy/ is right: for the chart, for Kubernetes, for Dagster, and without a secret."""

import copy
import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import chart
import jsonschema
import kubernetes_validate
import pytest
import yaml
from dagster._config import process_config
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.instance.config import dagster_instance_config
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.storage.dagster_run import DagsterRun
from dagster_k8s import K8sRunLauncher
from dagster_k8s.job import construct_dagster_k8s_job
from kubernetes.client import ApiClient
from yamllint import linter
from yamllint.config import YamlLintConfig

PROJECT = Path(__file__).parents[1]
DEPLOY = PROJECT / "deploy"
SCHEMAS = Path(__file__).parent / "data" / "helm"
KUBERNETES = "1.34"
COMMIT = re.compile(r"[0-9a-f]{40}")
LOCATION = "template-code-location"
OUTER = {"deployments", "imagePullSecrets"}  # keys that the chart passes on to its subchart and checks itself
KEYS = "packages/field-level-pseudo-anonymisation/docs/keys.md"
OPTIONAL = {
    "HIERARCHIES_DIR",  # must name a folder that is there, and there is none before the operator makes one
    "HISTOGRAM_TUPLES",  # for tables of many more combinations than most
}
ON_SPARK = {"ENGINE", "SPARK_MASTER", "SPARK_REMOTE", "STAGING_URI"}  # for who has a cluster
DEVELOPMENT_ONLY = {"KEY_FILE", "VAULT_TOKEN"}  # in the cluster, runs log in to OpenBao by their service account

Values = dict[str, Any]
Change = Callable[[Values], object]


@cache
def read_values() -> Values:
    values: Values = yaml.safe_load((DEPLOY / "values.yaml").read_text())
    return values


@pytest.fixture
def values() -> Values:
    return copy.deepcopy(read_values())


def objects(file: Path) -> list[Values]:
    return list(yaml.safe_load_all(file.read_text()))


KUBERNETES_OBJECTS = [entry for file in sorted((DEPLOY / "kubernetes").glob("*.yaml")) for entry in objects(file)]


@cache
def schema(name: str, *, strict: bool) -> Any:
    return relaxed(json.loads((SCHEMAS / name).read_text()), strict=strict)


def relaxed(node: Any, *, strict: bool) -> Any:
    """Take references to schemas elsewhere as «anything»; where strict, allow no key that the schema does not name."""
    if isinstance(node, list):
        return [relaxed(entry, strict=strict) for entry in node]
    if not isinstance(node, dict):
        return node
    if str(node.get("$ref", "")).startswith("https:"):
        return {}
    closed = {"additionalProperties": False} if strict and node.get("properties") else {}
    return closed | {key: relaxed(value, strict=strict) for key, value in node.items()}


def mistakes(values: Values, *, strict: bool = False) -> list[str]:
    """List what the chart and its subchart for code servers find wrong."""
    nested = values["dagster-user-deployments"]
    inner = {key: value for key, value in nested.items() if key not in {"enabled", "enableSubchart", "rbacEnabled"}}
    outer = values | {"dagster-user-deployments": {key: nested[key] for key in nested.keys() - (inner.keys() - OUTER)}}
    outer["dagster-user-deployments"].pop("rbacEnabled", None)  # in the chart's templates, not in its schema
    checks = [
        (schema("values.schema.json", strict=strict), without_registry(outer)),
        (schema("dagster-user-deployments.values.schema.json", strict=strict), inner | {"global": values["global"]}),
    ]
    return [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for rules, checked in checks
        for error in jsonschema.Draft202012Validator(rules).iter_errors(checked)
    ]


def without_registry(values: Values) -> Values:
    """Leave out the registry of PostgreSQL's image, which the chart's templates read and its schema leaves open."""
    image = {key: value for key, value in values["postgresql"]["image"].items() if key != "registry"}
    return values | {"postgresql": values["postgresql"] | {"image": image}}


def test_the_values_validate_against_the_charts_schemas(values: Values) -> None:
    assert mistakes(values) == []


def test_the_chart_knows_every_key_of_the_values(values: Values) -> None:
    assert mistakes(values, strict=True) == []


def server(values: Values) -> Values:
    entry: Values = values["dagster-user-deployments"]["deployments"][0]
    return entry


BROKEN_VALUES: dict[str, Change] = {
    "a port that is text": lambda values: server(values).update(port="4000"),
    "a key in the wrong place": lambda values: server(values).update(imagePullPolicy="Always"),
    "no image": lambda values: server(values).pop("image"),
    "an unknown pull policy": lambda values: server(values)["image"].update(pullPolicy="Sometimes"),
    "arguments as one text": lambda values: server(values).update(
        dagsterApiGrpcArgs="--module-name template_code_location.repository"
    ),
    "a misspelt key": lambda values: server(values).update(resourcs={}),
    "an unknown run launcher": lambda values: values.update(
        runLauncher={"type": "KubernetesRunLauncher", "config": {}}
    ),
    "a key in snake case": lambda values: values["runLauncher"]["config"]["k8sRunLauncher"].update(security_context={}),
    "a key of the chart left out": lambda values: values["dagsterDaemon"].pop("heartbeatTolerance"),
    "no bucket for the logs": lambda values: values["computeLogManager"]["config"]["s3ComputeLogManager"].pop("bucket"),
    "an unknown key of the logs": lambda values: values["computeLogManager"]["config"]["s3ComputeLogManager"].update(
        endpoint="https://s3"
    ),
    "retention as text": lambda values: values["retention"]["sensor"].update(purgeAfterDays="30"),
    "a misspelt secret": lambda values: values["global"].update(postgresSecretName="dagster-postgresql"),
    "a service account without its section": lambda values: values["dagster-user-deployments"].update(
        serviceAccount="template-code-location"
    ),
}


@pytest.mark.parametrize("case", BROKEN_VALUES)
def test_a_broken_value_does_not_pass(values: Values, case: str) -> None:
    BROKEN_VALUES[case](values)
    assert mistakes(values, strict=True)


def run_job(values: Values, folder: Path, tags: dict[str, str] | None = None) -> Values:
    """Let Dagster's own run launcher make the Kubernetes job of a run, as it would in the cluster."""
    kubeconfig = folder / "kubeconfig"
    context = {"cluster": "none", "user": "none"}
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "none",
                "contexts": [{"name": "none", "context": context}],
                "clusters": [{"name": "none", "cluster": {"server": "https://127.0.0.1:1"}}],
                "users": [{"name": "none", "user": {}}],
            }
        )
    )
    outside = {"load_incluster_config": False, "kubeconfig_file": str(kubeconfig)}
    checked = process_config(K8sRunLauncher.config_type(), chart.run_launcher(values) | outside)
    assert checked.success, checked.errors
    launcher = K8sRunLauncher.from_config_value(None, checked.value)
    reference = chart.image(server(values)["image"])
    origin = RepositoryPythonOrigin(
        executable_path=sys.executable,
        code_pointer=ModuleCodePointer("template_code_location.repository", "defs"),
        container_image=reference,
        entry_point=["dagster"],
        container_context=chart.container_context(values),
    )
    job_origin = JobPythonOrigin("data_processing_job", origin)
    run = DagsterRun(job_name="data_processing_job", job_code_origin=job_origin, tags=tags)
    context_of_run = launcher.get_container_context_for_run(run)
    job = construct_dagster_k8s_job(
        job_config=context_of_run.get_k8s_job_config(reference, launcher),
        args=["dagster", "api", "execute_run"],
        job_name="dagster-run-1",
        user_defined_k8s_config=context_of_run.run_k8s_config,
        pod_name="dagster-run-1",
        component="run_worker",
        labels={"dagster/job": "data_processing_job"},
    )
    made: Values = ApiClient().sanitize_for_serialization(job)
    return made


def pods(values: Values, folder: Path) -> Iterator[tuple[str, Values]]:
    yield "code server", chart.code_server(values)
    yield "run", run_job(values, folder)
    yield "webserver", chart.control_plane(values, "dagsterWebserver")
    yield "daemon", chart.control_plane(values, "dagsterDaemon")


def validate(entry: Values) -> None:
    kubernetes_validate.validate(entry, KUBERNETES, strict=True)


def test_every_kubernetes_object_is_valid(values: Values, tmp_path: Path) -> None:
    for entry in [*KUBERNETES_OBJECTS, *dict(pods(values, tmp_path)).values()]:
        validate(entry)


BROKEN_FRAGMENTS: dict[str, Change] = {
    "a misspelt key": lambda values: server(values)["securityContext"].update(runAsUsr=10001),
    "a truth value as text": lambda values: server(values)["podSecurityContext"].update(runAsNonRoot="yes"),
    "an unknown kind of volume": lambda values: server(values)["volumes"].append(
        {"name": "more", "emptyDirectory": {}}
    ),
    "a reference that is none": lambda values: server(values)["env"].append(
        {"name": "S3_REGION", "valueFrom": {"secret": "s3"}}
    ),
    "a period as text": lambda values: server(values)["livenessProbe"].update(periodSeconds="a minute"),
}


@pytest.mark.parametrize("case", BROKEN_FRAGMENTS)
def test_a_broken_fragment_of_kubernetes_does_not_pass(values: Values, case: str) -> None:
    BROKEN_FRAGMENTS[case](values)
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(chart.code_server(values))


def test_every_pod_meets_the_restricted_standard_that_the_namespace_enforces(values: Values, tmp_path: Path) -> None:
    (namespace,) = [entry for entry in KUBERNETES_OBJECTS if entry["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, workload in pods(values, tmp_path):
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 10001, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert "hostNetwork" not in pod, name
        for volume in pod["volumes"]:
            assert volume.keys() - {"name"} <= {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}, name
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False, name
            assert security["readOnlyRootFilesystem"] is True, name
            assert security["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"].keys() >= {"cpu", "memory"}, name


def test_a_run_gets_what_the_code_server_has(values: Values, tmp_path: Path) -> None:
    pod = run_job(values, tmp_path)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    given = {entry["name"]: entry for entry in container["env"]}
    for entry in server(values)["env"]:
        assert given[entry["name"]] == entry
    assert container["image"] == chart.image(server(values)["image"])
    assert container["resources"] == server(values)["resources"]
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounted >= {mount["mountPath"] for mount in server(values)["volumeMounts"]}
    assert pod["serviceAccountName"] == LOCATION
    assert pod["imagePullSecrets"] == values["imagePullSecrets"]


def test_a_job_gets_more_memory_by_the_tag_that_the_operators_page_shows(values: Values, tmp_path: Path) -> None:
    page = (PROJECT / "docs/operations.md").read_text()
    (tag,) = re.findall(r"`dagster-k8s/config: (\{.*\})`", page)
    job = run_job(values, tmp_path, {"dagster-k8s/config": json.dumps(yaml.safe_load(tag))})
    validate(job)
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == server(values)["resources"]["limits"] | {"memory": "8Gi"}


def test_every_folder_that_is_written_is_a_volume(values: Values, tmp_path: Path) -> None:
    written = {"/tmp", "/data", "/dagster/shared", "/staging", values["global"]["dagsterHome"]}
    for name, workload in pods(values, tmp_path):
        pod = workload["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        needed = written if name in {"code server", "run"} else {"/tmp", values["global"]["dagsterHome"]}
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert mounts.keys() >= needed, name
        assert set(mounts.values()) <= {volume["name"] for volume in pod["volumes"]}, name
    environment = settings(values)
    for name in ("DATA_ROOT", "STAGING_DIR", "SIMPL_LOG_DIR"):
        assert any(Path(environment[name]).is_relative_to(folder) for folder in written), name


def settings(values: Values) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in server(values)["env"]}


def test_every_claim_and_only_claims_that_are_used_exist(values: Values) -> None:
    claimed = {v["persistentVolumeClaim"]["claimName"] for v in server(values)["volumes"] if "emptyDir" not in v}
    assert claimed == {
        entry["metadata"]["name"] for entry in KUBERNETES_OBJECTS if entry["kind"] == "PersistentVolumeClaim"
    }


def test_each_network_policy_selects_pods_that_there_are(values: Values, tmp_path: Path) -> None:
    labels = {name: workload["spec"]["template"]["metadata"]["labels"] for name, workload in pods(values, tmp_path)}

    def selected(matching: dict[str, str]) -> set[str]:
        return {name for name, own in labels.items() if matching.items() <= own.items()}

    policies = {entry["metadata"]["name"]: entry for entry in KUBERNETES_OBJECTS if entry["kind"] == "NetworkPolicy"}
    expected = {
        "code-location": {"code server"},
        "runs": {"run"},
        "webserver": {"webserver"},
        "no-node-credentials": set(labels),
    }
    for name, policy in policies.items():
        assert selected(policy["spec"]["podSelector"].get("matchLabels", {})) == expected.pop(name)
    assert not expected
    (caller,) = policies["code-location"]["spec"]["ingress"][0]["from"]
    (term,) = caller["podSelector"]["matchExpressions"]
    assert {name for name, own in labels.items() if own.get(term["key"]) in term["values"]} == {"webserver", "daemon"}
    assert policies["code-location"]["spec"]["ingress"][0]["ports"][0]["port"] == server(values)["port"]


def table(document: str, heading: str) -> set[str]:
    """List the environment variables in the first column of the tables under a heading."""
    text = (PROJECT / document).read_text().split(f"\n{heading}\n")[1].split("\n## ")[0]
    first = "\n".join(line.split("|")[1] for line in text.splitlines() if line.startswith("|"))
    return set(re.findall(r"`([A-Z][A-Z0-9_]+)`", first))


def test_the_location_has_every_setting_of_the_readme_and_no_other(values: Values) -> None:
    documented = table("README.md", "## Configuration")
    assert "S3_ALLOWED_BUCKETS" in documented
    given = settings(values).keys()
    assert documented - given == DEVELOPMENT_ONLY | OPTIONAL | ON_SPARK
    known = documented | table(KEYS, "## Where keys lie") | {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    assert given <= known


def test_the_instance_that_the_chart_configures_is_one_that_dagster_takes(
    values: Values, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_PG_PASSWORD", "none")
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(chart.instance(values)))
    read, _ = dagster_instance_config(str(tmp_path))
    assert read["run_monitoring"]["max_resume_run_attempts"] == 0
    for part in ("run_coordinator", "compute_logs"):
        checked = process_config(part_type(read[part]), read[part]["config"])
        assert checked.success, checked.errors


def part_type(section: Values) -> Any:
    return getattr(importlib.import_module(section["module"]), section["class"]).config_type()


def test_the_image_is_named_by_a_commit(values: Values) -> None:
    assert COMMIT.fullmatch(server(values)["image"]["tag"])
    for file in DEPLOY.rglob("*.yaml"):
        assert "latest" not in file.read_text(), file


def test_the_chart_has_the_version_of_dagster_in_the_image(values: Values) -> None:
    release, own, further = yaml.safe_load((DEPLOY / "argocd.yaml").read_text())["spec"]["sources"]
    assert release["targetRevision"] == version("dagster")
    for key in ("dagsterWebserver", "dagsterDaemon"):
        assert "tag" not in values[key]["image"], "without a tag, the chart takes its own version"
    (file,) = release["helm"]["valueFiles"]
    assert (PROJECT / file.replace(f"${own['ref']}/", "")).is_file()
    assert list((PROJECT / further["path"]).glob("*.yaml"))
    assert f"--version {release['targetRevision']}" in (PROJECT / "docs/operations.md").read_text()


def leaves(node: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, (*path, str(key)))
    elif isinstance(node, list):
        for entry in node:
            name = entry.get("name", "") if isinstance(entry, dict) else ""
            yield from leaves(entry, (*path, str(name)))
    else:
        yield path, node


SECRETIVE = re.compile(r"password|passwd|secret|token|credential|access.?key|api.?key|private", re.IGNORECASE)
REFERENCES = {"env", "name", "key", "optional", "claimName", "secretName", "postgresqlSecretName"}
SETTINGS_WITHOUT_SECRETS = {
    "generatePostgresqlPasswordSecret",
    "celeryConfigSecretName",
    "generateCeleryConfigSecret",
    "usePassword",
}


def exposed(document: Any) -> list[str]:
    """List the places whose name speaks of a secret and which hold a value rather than a reference."""
    return [
        ".".join(path)
        for path, value in leaves(document)
        if any(SECRETIVE.search(part) for part in path)
        and path[-1] not in REFERENCES | SETTINGS_WITHOUT_SECRETS
        and value not in ("", None)
    ]


def test_no_secret_is_in_any_file() -> None:
    for file in DEPLOY.rglob("*.yaml"):
        assert [place for document in objects(file) for place in exposed(document)] == [], file
        assert not re.search(r"://[^/\s]*:[^/\s]*@|BEGIN [A-Z ]*PRIVATE|AKIA[A-Z0-9]{16}", file.read_text()), file


def test_a_secret_in_the_values_would_be_noticed(values: Values) -> None:
    server(values)["env"].append({"name": "S3_SECRET_KEY", "value": "abc"})
    values["postgresql"]["postgresqlPassword"] = "abc"
    assert len(exposed(values)) == 2


def test_every_secret_that_is_referred_to_is_made_in_the_operators_page() -> None:
    page = (PROJECT / "docs/operations.md").read_text()
    text = (DEPLOY / "values.yaml").read_text()
    named = set(re.findall(r"secretKeyRef: \{name: ([\w-]+)", text))
    assert named == {"template-code-location-s3", "template-code-location-notifications", "dagster-compute-logs"}
    for secret in named | {"dagster-postgresql", "gitea-registry"}:
        assert re.search(rf"kubectl create secret [a-z-]+ {secret} ", page), secret


def test_the_files_are_tidy_yaml() -> None:
    rules = YamlLintConfig(
        "{extends: default, rules: {line-length: {max: 120}, document-start: disable,"
        " comments: {min-spaces-from-content: 1}}}"
    )
    for file in DEPLOY.rglob("*.yaml"):
        assert [str(problem) for problem in linter.run(file.read_text(), rules)] == [], file
