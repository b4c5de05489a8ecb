"""Results as JSON, held against the published schema."""

from __future__ import annotations

import json
from importlib.resources import files

import jsonschema

from netopt.problems.results import MaximizationResult, VerificationResult


def validate(result: MaximizationResult | VerificationResult) -> None:
    """Check that a result, written and read again, has the form that the schema promises."""
    schema = json.loads(files("netopt.problems").joinpath("result.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads(json.dumps(result.to_json(), allow_nan=False)))
