"""Jobs that examine a table and change nothing, each on local files and on S3 objects."""

from data_processing.profile_config import check
from data_processing.profile_ops import check_expectations, profile_table, require_expectations
from data_processing.report_ops import REPORTS
from util_services.jobs import report_jobs

_OPERATION = "DATA_PROCESSING"

profile_data_job, profile_data_job_s3 = report_jobs(
    profile_table,
    REPORTS,
    name="profile_data_job",
    description="Reports what a table's columns hold and which roles they probably have, and changes nothing.",
    business_operation=_OPERATION,
    config={"show_values": False},
    sample_input="examples/visits.csv",
)

data_quality_job, data_quality_job_s3 = report_jobs(
    check_expectations,
    REPORTS,
    name="data_quality_job",
    description="Fails when what is expected of a table is not met, listing all that is not, and changes nothing.",
    business_operation=_OPERATION,
    config={
        "expectations": [
            {"expectation": {"row_count": {"minimum": 1}}},
            {"expectation": {"unique": {"columns": ["patient"]}}},
            {"expectation": {"not_null": {"column": "sex", "share": 0.95}}},
            {"expectation": {"in_set": {"column": "sex", "values": ["F", "M"]}}},
            {"expectation": {"expression": {"expression": 'date(birth_date) >= date("1900-01-01")'}}},
            {"expectation": {"matches": {"column": "postcode", "pattern": "[0-9]{5}"}}},
            {"expectation": {"expression": {"expression": "date(admitted) - date(birth_date) >= 0"}}},
        ]
    },
    sample_input="examples/visits.csv",
    after_report=require_expectations,
    check=check,
)
