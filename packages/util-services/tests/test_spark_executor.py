import os
import subprocess
import sys
from pathlib import Path

import pytest

from util_services.spark_executor import command

TOLD = {
    "SPARK_DRIVER_URL": "spark://CoarseGrainedScheduler@10.0.0.7:7078",
    "SPARK_EXECUTOR_ID": "3",
    "SPARK_EXECUTOR_CORES": "2",
    "SPARK_EXECUTOR_MEMORY": "2048m",
    "SPARK_APPLICATION_ID": "spark-1",
    "SPARK_EXECUTOR_POD_IP": "10.0.0.8",
    "SPARK_RESOURCE_PROFILE_ID": "0",
    "SPARK_EXECUTOR_POD_NAME": "exec-3",
}


def test_an_executor_is_started_as_spark_says() -> None:
    options = {f"SPARK_JAVA_OPT_{number}": f"-Dnumber={number}" for number in (10, 2, 0)}
    places = {"SPARK_CONF_DIR": "/opt/spark/conf", "SPARK_EXTRA_CLASSPATH": "/more/*"}
    assert command(TOLD | options | places, Path("/jars")) == [
        "java",
        "-Dnumber=0",
        "-Dnumber=2",
        "-Dnumber=10",
        "-Xms2048m",
        "-Xmx2048m",
        "-cp",
        "/opt/spark/conf:/jars/*:/more/*",
        "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend",
        *("--driver-url", "spark://CoarseGrainedScheduler@10.0.0.7:7078"),
        *("--executor-id", "3"),
        *("--cores", "2"),
        *("--app-id", "spark-1"),
        *("--hostname", "10.0.0.8"),
        *("--resourceProfileId", "0"),
        *("--podName", "exec-3"),
    ]


@pytest.mark.parametrize("name", ["SPARK_EXECUTOR_MEMORY", "SPARK_DRIVER_URL"])
def test_outside_a_pod_of_spark_the_command_says_what_is_missing(name: str) -> None:
    told = {each: value for each, value in TOLD.items() if each != name}
    environment = {each: value for each, value in os.environ.items() if each not in TOLD} | told
    program = [sys.executable, "-m", "util_services.spark_executor"]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (f"The environment variable {name} is not set: this command is for pods that Spark starts.\n")
