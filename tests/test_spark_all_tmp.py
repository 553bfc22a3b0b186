import os
import time

import pytest
from test_spark import PROJECT

from template_code_location.repository import defs

JOBS = [
    n
    for n in (j.name for j in defs.resolve_all_job_defs())
    if not n.startswith("__") and not n.endswith("_s3") and n != "data_processing_job"
]


@pytest.mark.parametrize("name", JOBS)
def test_job(name, spark, samples, tmp_path, monkeypatch):
    os.environ.setdefault("X", "1")
    outs = {}
    for kind in ("polars", "spark"):
        home = tmp_path / kind
        home.mkdir()
        monkeypatch.chdir(home)
        (home / "examples").symlink_to(PROJECT / "examples")
        if kind == "spark":
            for n, v in spark.items():
                monkeypatch.setenv(n, v)
        t = time.time()
        r = defs.resolve_job_def(name).execute_in_process(raise_on_error=False)
        print("TIME", name, kind, round(time.time() - t, 1))
        for e in r.all_events:
            if e.is_step_failure:
                print(
                    "FAIL",
                    name,
                    kind,
                    e.step_key,
                    e.step_failure_data.user_failure_data,
                    str(e.step_failure_data.error)[:300],
                )
        outs[kind] = {
            str(p.relative_to(home)): p.read_bytes()
            for p in home.rglob("*")
            if p.is_file() and not str(p.relative_to(home)).startswith("examples")
        }
        assert r.success
    assert set(outs["polars"]) == set(outs["spark"])
    for k in outs["polars"]:
        same = outs["polars"][k] == outs["spark"][k]
        print("SAME" if same else "DIFF", name, k)
