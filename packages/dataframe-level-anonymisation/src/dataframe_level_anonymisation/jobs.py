"""Anonymisation jobs, each on local files and on S3 objects."""

from dataframe_level_anonymisation.ops import apply_k_anonymity
from util_services.jobs import table_jobs

k_anonymity_job, k_anonymity_job_s3 = table_jobs(
    apply_k_anonymity,
    name="k_anonymity_job",
    description="Makes a table k-anonymous with the least loss of information, and proves it.",
    business_operation="ANONYMISATION",
    sample_input="examples/patients.csv",
    sample_output="output/patients_k4.csv",
    config={
        "ident": ["Name"],
        "quasi_identifiers": ["age", "gender"],
        "sensitive_attributes": ["disease"],
        "k": 4,
        "supp_level": 0.0,
        "generalisation_hierarchies": {"age": "simpl_age", "gender": "simpl_gender"},
    },
)
