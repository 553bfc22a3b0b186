"""What loading the code location imports: every run on Kubernetes and every reload waits for it."""

import json
import subprocess
import sys

# Libraries that only some runs need, or none: they are imported where they are used.
HEAVY = {
    "apprise",
    "countryinfo",
    "dagster_k8s",
    "dagster_postgres",
    "dagster_webserver",
    "faker",
    "fastfpe",
    "hvac",
    "jinja2",
    "kubernetes",
    "matplotlib",
    "presidio_analyzer",
    "psycopg2",
    "pyspark",
    "rapidfuzz",
    "requests",
    "scipy",
    "sklearn",
    "spacy",
    "thinc",
    "torch",
}
# What it may add to Dagster and its S3 resource: what the frames and the detection of identifiers are made of.
ALLOWED = {
    "babel",
    "cryptography",
    "lark",
    "narwhals",
    "numpy",
    "pandas",
    "phonenumbers",
    "polars",
    "polars_hash",
    "pyarrow",
    "stdnum",
}
OURS = {
    "data_processing",
    "dataframe_level_anonymisation",
    "field_level_pseudo_anonymisation",
    "template_code_location",
    "util_services",
}

LOAD = """
import json, sys
import dagster, dagster_aws.s3
before = {name.partition(".")[0] for name in sys.modules}
from template_code_location.repository import defs
jobs = [job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")]
after = {name.partition(".")[0] for name in sys.modules}
print(json.dumps({"jobs": jobs, "before": sorted(before), "after": sorted(after)}))
"""


def test_loading_every_job_imports_no_library_that_only_some_runs_need() -> None:
    loaded = subprocess.run([sys.executable, "-c", LOAD], capture_output=True, text=True, check=True)
    seen = json.loads(loaded.stdout)
    assert len(seen["jobs"]) == len(set(seen["jobs"])) >= 34
    added = {name for name in seen["after"] if name not in seen["before"] and not name.startswith("_")}
    assert added >= OURS
    assert HEAVY.isdisjoint(seen["after"])
    assert added - OURS - sys.stdlib_module_names <= ALLOWED
