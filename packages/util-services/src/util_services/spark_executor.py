"""Executors of Spark in pods of this location's image, in place of the entry point of Spark's own image.

Spark starts a pod and tells by environment variables what its container shall run.

References:
    https://github.com/apache/spark/blob/master/resource-managers/kubernetes/docker/src/main/dockerfiles/spark/entrypoint.sh
"""

import os
import re
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

_BACKEND = "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"
_ARGUMENTS = {
    "--driver-url": "SPARK_DRIVER_URL",
    "--executor-id": "SPARK_EXECUTOR_ID",
    "--cores": "SPARK_EXECUTOR_CORES",
    "--app-id": "SPARK_APPLICATION_ID",
    "--hostname": "SPARK_EXECUTOR_POD_IP",
    "--resourceProfileId": "SPARK_RESOURCE_PROFILE_ID",
    "--podName": "SPARK_EXECUTOR_POD_NAME",
}
_MEMORY = "SPARK_EXECUTOR_MEMORY"
_OPTION = re.compile(r"SPARK_JAVA_OPT_(\d+)")


def command(environment: Mapping[str, str], jars: Path) -> list[str]:
    """Give the command of an executor.

    Args:
        environment: What Spark set.
        jars: The folder with Spark's libraries.

    Raises:
        KeyError: If Spark did not set it: its argument is the variable's name.

    Examples:
        >>> told = dict.fromkeys([*_ARGUMENTS.values(), _MEMORY], "1") | {"SPARK_JAVA_OPT_0": "-Da=b"}
        >>> command(told, Path("/jars"))[:6]
        ['java', '-Da=b', '-Xms1', '-Xmx1', '-cp', '/jars/*']
    """
    options = sorted(
        (int(found[1]), value) for name, value in environment.items() if (found := _OPTION.fullmatch(name))
    )
    memory = environment[_MEMORY]
    places = [environment.get("SPARK_CONF_DIR"), str(jars / "*"), environment.get("SPARK_EXTRA_CLASSPATH")]
    classes = ["-cp", ":".join(place for place in places if place), _BACKEND]
    arguments = [part for option, name in _ARGUMENTS.items() for part in (option, environment[name])]
    return ["java", *(value for _, value in options), f"-Xms{memory}", f"-Xmx{memory}", *classes, *arguments]


def main() -> None:
    """Become the executor."""
    pyspark = find_spec("pyspark")
    if pyspark is None or pyspark.origin is None:
        sys.exit("This image has no PySpark: build it with the extra spark.")
    try:
        wanted = command(os.environ, Path(pyspark.origin).parent / "jars")
    except KeyError as missing:
        sys.exit(f"The environment variable {missing.args[0]} is not set: this command is for pods that Spark starts.")
    os.execvp(wanted[0], wanted)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
