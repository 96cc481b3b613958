"""The sections of the report: each a function of `Findings`, or absent."""
