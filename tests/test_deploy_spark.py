"""What is in deploy/spark/ is right: for Kubernetes, for the chart, for Spark and for each other."""

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import chart
import kubernetes_validate
import pytest
import yaml

from util_services.engine import EngineSettings

PROJECT = Path(__file__).parents[1]
SPARK = PROJECT / "deploy" / "spark"
KUBERNETES = "1.34"
OBJECTS = list(yaml.safe_load_all((SPARK / "spark.yaml").read_text()))
ADDED: dict[str, list[dict[str, Any]]] = yaml.safe_load((SPARK / "values.yaml").read_text())


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [entry for entry in OBJECTS if entry["kind"] == kind]


@pytest.fixture
def configuration() -> dict[str, str]:
    (entry,) = of_kind("ConfigMap")
    data: dict[str, str] = entry["data"]
    return data


@pytest.fixture
def settings(configuration: dict[str, str]) -> dict[str, str]:
    lines = configuration["spark-defaults.conf"].splitlines()
    return {name: value.strip() for name, value in (line.split(maxsplit=1) for line in lines)}


@pytest.fixture
def executor(configuration: dict[str, str]) -> dict[str, Any]:
    template: dict[str, Any] = yaml.safe_load(configuration["executor.yaml"])
    return template


@pytest.fixture
def location() -> dict[str, Any]:
    """The values of the location with what is to be added."""
    values: dict[str, Any] = yaml.safe_load((PROJECT / "deploy" / "values.yaml").read_text())
    deployment = values["dagster-user-deployments"]["deployments"][0]
    for name, entries in ADDED.items():
        deployment[name] += entries
    return values


def test_every_object_is_valid_for_kubernetes(executor: dict[str, Any], location: dict[str, Any]) -> None:
    for entry in [*OBJECTS, executor | {"metadata": {"name": "executor"}}, chart.code_server(location)]:
        kubernetes_validate.validate(entry, KUBERNETES, strict=True)


def test_an_executor_meets_the_restricted_standard_and_has_the_users_of_the_run(executor: dict[str, Any]) -> None:
    pod = executor["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == pod["securityContext"]["fsGroup"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    (command,) = container["command"]
    assert entry_points(group="console_scripts", name=command)
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_run_and_executors_see_the_same_volumes_under_the_same_paths(
    executor: dict[str, Any], location: dict[str, Any]
) -> None:
    run = location["dagster-user-deployments"]["deployments"][0]

    def claims(volumes: list[dict[str, Any]], mounts: list[dict[str, str]]) -> dict[str, str]:
        names = {each["name"]: each["persistentVolumeClaim"]["claimName"] for each in volumes if len(each) == 2}
        return {mount["mountPath"]: names[mount["name"]] for mount in mounts if mount["name"] in names}

    def shared(volumes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [each for each in volumes if "persistentVolumeClaim" in each]

    theirs = claims(shared(executor["spec"]["volumes"]), executor["spec"]["containers"][0]["volumeMounts"])
    assert theirs.items() <= claims(shared(run["volumes"]), run["volumeMounts"]).items()
    (staging,) = [entry["value"] for entry in ADDED["env"] if entry["name"] == "STAGING_URI"]
    assert any(staging.startswith(f"file://{path}/") for path in theirs)
    assert [each["metadata"]["name"] for each in of_kind("PersistentVolumeClaim")] == [theirs["/spark-staging"]]


def test_the_environment_chooses_the_cluster_and_its_settings(settings: dict[str, str]) -> None:
    environment = {entry["name"]: entry.get("value", "") for entry in ADDED["env"]}
    assert EngineSettings.of(environment).master == "k8s://https://kubernetes.default.svc"
    folder = environment["SPARK_CONF_DIR"]
    assert folder in {mount["mountPath"] for mount in ADDED["volumeMounts"]}
    assert settings["spark.kubernetes.executor.podTemplateFile"] == f"{folder}/executor.yaml"
    assert settings["spark.kubernetes.namespace"] == of_kind("Role")[0]["metadata"]["namespace"]


def test_the_ports_that_the_policies_open_are_those_of_spark(
    settings: dict[str, str], executor: dict[str, Any]
) -> None:
    opened = {
        entry["metadata"]["name"]: [str(port["port"]) for port in entry["spec"]["ingress"][0]["ports"]]
        for entry in of_kind("NetworkPolicy")
    }
    driver = [settings["spark.driver.port"], settings["spark.driver.blockManager.port"]]
    assert opened == {"spark-driver": driver, "spark-executors": [settings["spark.blockManager.port"]]}
    (container,) = executor["spec"]["containers"]
    assert container["name"] == settings["spark.kubernetes.executor.podTemplateContainerName"]
