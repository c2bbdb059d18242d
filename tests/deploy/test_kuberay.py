"""The manifest of docs/rayjob.yaml is what KubeRay's own definition of a RayJob allows."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.builders.commands import ROOT, Emergence

SCHEMA = json.loads((Path(__file__).parent / "rayjob-crd.json").read_text())["schema"]


@pytest.fixture
def manifest() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docs" / "rayjob.yaml").read_text())


def closed(schema: Any) -> Any:
    """The schema without keys that it does not name, as `kubectl --validate=strict` reads it."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(inside) for name, inside in schema.items()}
    if isinstance(made.get("properties"), dict) and "x-kubernetes-preserve-unknown-fields" not in made:
        made.setdefault("additionalProperties", False)
    if made.pop("x-kubernetes-int-or-string", False):
        made = {"type": ["integer", "string"]}
    return made


def test_it_is_valid_by_the_definition_of_kuberay(manifest: dict[str, Any]) -> None:
    metadata = manifest.pop("metadata")
    assert metadata == {"name": "emergence"}
    jsonschema.validate(manifest, closed(SCHEMA))


def test_a_misspelt_key_would_be_noticed(manifest: dict[str, Any]) -> None:
    del manifest["metadata"]
    manifest["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["replica"] = 1
    with pytest.raises(jsonschema.ValidationError, match="'replica' was unexpected"):
        jsonschema.validate(manifest, closed(SCHEMA))


def test_its_command_is_one_of_ours(manifest: dict[str, Any], emergence: Emergence) -> None:
    name, verb, *options = shlex.split(manifest["spec"]["entrypoint"])
    assert (name, verb) == ("emergence", "run")
    [address] = [i for i, option in enumerate(options) if option == "--address"]
    del options[address : address + 2]
    assert emergence("slurm", "--", *options).code == 0  # which looks at them as `run` does
