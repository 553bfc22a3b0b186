"""What Dagster's Helm chart makes of the values in deploy/, as far as the values reach into Kubernetes objects.

Charts are not on PyPI, so this follows the templates of chart 1.13: which fragment of the values lands where. Dagster's
own code takes over from there: its run launcher makes the pods of runs, its instance reads the configuration.
"""

from typing import Any

Values = dict[str, Any]

RELEASE = "dagster"
NAMESPACE = "dagster"
PLAIN_CHART = {"app.kubernetes.io/name": "dagster", "app.kubernetes.io/instance": RELEASE}
CHECK = ("dagster", "api", "grpc-health-check", "-p")


def image(section: Values) -> str:
    """Write an image as the chart does; without a tag it takes the chart's version."""
    return f"{section['repository']}:{section.get('tag') or 'chart-version'}"


def deployment(name: str, component: str, container: Values, pod: Values, section: Values) -> Values:
    """Compose the deployment of a component: the fragments that all of them share."""
    labels = PLAIN_CHART | {"component": component} | section["labels"]
    if component == "user-deployments":
        labels["deployment"] = name
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "replicas": section.get("replicaCount", 1),
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels, "annotations": section["annotations"]},
                "spec": {
                    "automountServiceAccountToken": True,
                    "securityContext": section["podSecurityContext"],
                    "nodeSelector": section["nodeSelector"],
                    "affinity": section["affinity"],
                    "tolerations": section["tolerations"],
                    "volumes": section["volumes"],
                    "containers": [
                        {
                            "name": name,
                            "securityContext": section["securityContext"],
                            "resources": section["resources"],
                            "volumeMounts": section["volumeMounts"],
                        }
                        | container
                    ],
                }
                | pod,
            },
        },
    }


def probe(section: Values, port: int) -> Values:
    """Write a probe: without a command of its own it is the health check of gRPC."""
    asked = {key: value for key, value in section.items() if key != "enabled"}
    return asked if "exec" in asked or "httpGet" in asked else asked | {"exec": {"command": [*CHECK, str(port)]}}


def locations(values: Values) -> Values:
    """Give the values of the subchart for code servers."""
    return dict(values["dagster-user-deployments"])


def code_server(values: Values) -> Values:
    """Compose the deployment of the code server."""
    section = locations(values)["deployments"][0]
    port = section["port"]
    command = ["dagster", "api", "grpc", "-h", "0.0.0.0", "-p", str(port), *section["dagsterApiGrpcArgs"]]
    password = {"secretKeyRef": {"name": values["global"]["postgresqlSecretName"], "key": "postgresql-password"}}
    container = {
        "image": image(section["image"]),
        "imagePullPolicy": section["image"]["pullPolicy"],
        "args": command,
        "env": [
            {"name": "DAGSTER_CURRENT_IMAGE", "value": image(section["image"])},
            {"name": "DAGSTER_PG_PASSWORD", "valueFrom": password},
            *section["env"],
        ],
        "readinessProbe": probe(section["readinessProbe"], port),
        "livenessProbe": probe(section["livenessProbe"], port),
        "startupProbe": probe(section["startupProbe"], port),
    }
    pod = {
        "imagePullSecrets": locations(values)["imagePullSecrets"],
        "serviceAccountName": locations(values)["serviceAccount"]["name"],
    }
    return deployment(section["name"], "user-deployments", container, pod, section)


def control_plane(values: Values, key: str) -> Values:
    """Compose the deployment of the webserver (``dagsterWebserver``) or the daemon (``dagsterDaemon``)."""
    section = values[key]
    component = "dagster-webserver" if key == "dagsterWebserver" else "dagster-daemon"
    container: Values = {
        "image": image(section["image"]),
        "imagePullPolicy": section["image"]["pullPolicy"],
        "env": section["env"],
        "livenessProbe": probe(section["livenessProbe"], 0),
        "startupProbe": probe(section["startupProbe"], 0),
    }
    if section["readinessProbe"]:
        container["readinessProbe"] = probe(section["readinessProbe"], 0)
    first = {"securityContext": section["securityContext"], "resources": section["initContainerResources"]}
    database, waiting = values["postgresql"]["image"], values["busybox"]["image"]
    pod = {
        "serviceAccountName": values["serviceAccount"]["name"],
        "imagePullSecrets": values["imagePullSecrets"],
        "initContainers": [
            {"name": "check-db-ready", "image": f"{database['registry']}/{image(database)}"} | first,
            {"name": "init-user-deployment", "image": image(waiting)} | first,
        ],
    }
    return deployment(component, component, container, pod, section)


def container_context(values: Values) -> Values:
    """Give what the code server tells Dagster about the pods of its runs (``includeConfigInLaunchedRuns``)."""
    section = locations(values)["deployments"][0]
    return {
        "k8s": {
            "image_pull_policy": section["image"]["pullPolicy"],
            "image_pull_secrets": locations(values)["imagePullSecrets"],
            "env_config_maps": [f"{RELEASE}-dagster-user-deployments-{section['name']}-user-env"],
            "volume_mounts": section["volumeMounts"],
            "volumes": section["volumes"],
            "resources": section["resources"],
            "namespace": NAMESPACE,
            "service_account_name": locations(values)["serviceAccount"]["name"],
            "env": section["env"],
            "run_k8s_config": {"pod_spec_config": {"automount_service_account_token": True}},
        }
    }


def run_launcher(values: Values) -> Values:
    """Give the configuration of the run launcher."""
    section = values["runLauncher"]["config"]["k8sRunLauncher"]
    runs = section["runK8sConfig"]
    return {
        "load_incluster_config": section["loadInclusterConfig"],
        "job_namespace": NAMESPACE,
        "image_pull_policy": section["imagePullPolicy"],
        "image_pull_secrets": values["imagePullSecrets"],
        "service_account_name": values["serviceAccount"]["name"],
        "dagster_home": values["global"]["dagsterHome"],
        "instance_config_map": f"{RELEASE}-instance",
        "postgres_password_secret": values["global"]["postgresqlSecretName"],
        "security_context": section["securityContext"],
        "run_k8s_config": {
            "pod_spec_config": runs["podSpecConfig"],
            "pod_template_spec_metadata": runs["podTemplateSpecMetadata"],
            "job_spec_config": runs["jobSpecConfig"],
        },
    }


def instance(values: Values) -> Values:
    """Give the instance's configuration, ``dagster.yaml``."""
    database = {
        "postgres_db": {
            "username": values["postgresql"]["postgresqlUsername"],
            "password": {"env": "DAGSTER_PG_PASSWORD"},
            "hostname": values["postgresql"]["postgresqlHost"],
            "db_name": values["postgresql"]["postgresqlDatabase"],
            "port": values["postgresql"]["service"]["port"],
            "params": values["postgresql"]["postgresqlParams"],
            "scheme": values["postgresql"]["postgresqlScheme"],
        }
    }
    daemon = values["dagsterDaemon"]
    logs = values["computeLogManager"]["config"]["s3ComputeLogManager"]
    queue = daemon["runCoordinator"]["config"]["queuedRunCoordinator"]
    kept = values["retention"]
    return {
        "storage": {"postgres": database},
        "run_launcher": {"module": "dagster_k8s", "class": "K8sRunLauncher", "config": run_launcher(values)},
        "run_coordinator": {
            "module": "dagster._core.run_coordinator",
            "class": "QueuedRunCoordinator",
            "config": snake(queue),
        },
        "compute_logs": {
            "module": "dagster_aws.s3.compute_log_manager",
            "class": "S3ComputeLogManager",
            "config": snake(logs),
        },
        "run_monitoring": snake(daemon["runMonitoring"]),
        "run_retries": snake(daemon["runRetries"]),
        "sensors": snake(daemon["sensors"]),
        "schedules": snake(daemon["schedules"]),
        "retention": {kind: snake(kept[kind]) for kind in ("sensor", "schedule")},
        "python_logs": {"python_log_level": values["pythonLogs"]["pythonLogLevel"]},
        "telemetry": values["telemetry"],
    }


def snake(section: Values) -> Values:
    """Write keys as Dagster does: ``maxConcurrentRuns`` becomes ``max_concurrent_runs``."""
    return {"".join(f"_{c.lower()}" if c.isupper() else c for c in key): value for key, value in section.items()}
