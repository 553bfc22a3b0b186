"""Keeping the mapping tables of ``tokenise`` apart from the other files of a run, which would replace them."""

from collections.abc import Iterable

from dagster import OpExecutionContext

from field_level_pseudo_anonymisation.techniques.technique import Technique
from util_services.locations import object_of
from util_services.ops import check_object, output_file


def check_mapping_tables(context: OpExecutionContext, techniques: Iterable[Technique]) -> None:
    """Refuse a mapping table that is the input or output of the run.

    Raises:
        DataServiceError: If one is.
    """
    for table in (getattr(technique, "mapping_table", None) for technique in techniques):
        if not table:
            continue
        if found := object_of(table):
            check_object(context, *found)
        else:
            output_file(context, table, "mapping_table")
