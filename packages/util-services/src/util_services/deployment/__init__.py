"""The command ``simpl-deploy``: the steps of a release, for a pipeline or by hand."""
