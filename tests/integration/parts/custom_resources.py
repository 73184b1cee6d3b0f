"""The schemas of the custom resources that the chart makes, from the projects that define them.

A cluster drops fields that it does not know without a word; here they are refused.
"""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from tests.integration.parts.go import module

_MODULES = {
    "monitoring.coreos.com": (
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
    ),
    "keda.sh": (
        "github.com/kedacore/keda/v2",
        "v2.21.0",
        "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
    ),
}
_DEFINITIONS = {
    "monitoring.coreos.com": "example/prometheus-operator-crd/monitoring.coreos.com_{plural}.yaml",
    "keda.sh": "config/crd/bases/keda.sh_{plural}.yaml",
}


def is_custom(resource: dict[str, Any]) -> bool:
    """Whether the resource is defined by one of these projects, not by Kubernetes."""
    return _group(resource) in _MODULES


def complaints(resource: dict[str, Any]) -> list[str]:
    """What the definition of its kind says against a resource."""
    _, _, version = resource["apiVersion"].partition("/")
    validator = _validator(_group(resource), version, resource["kind"])
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(resource)]


def _group(resource: dict[str, Any]) -> str:
    return resource["apiVersion"].partition("/")[0]


@cache
def _validator(group: str, version: str, kind: str) -> Draft202012Validator:
    definition = yaml.safe_load(_definition(group, kind).read_text("utf-8"))["spec"]
    assert definition["names"]["kind"] == kind
    [served] = [v for v in definition["versions"] if v["name"] == version and v["served"]]
    schema = _strict(served["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object", "required": ["name", "labels"]}
    return Draft202012Validator(schema)


def _definition(group: str, kind: str) -> Path:
    plural = f"{kind.lower()}s"
    return module(*_MODULES[group]) / _DEFINITIONS[group].format(plural=plural)


def _strict(schema: Any) -> Any:
    """A schema of OpenAPI as Kubernetes extends it, in JSON Schema's words; no key more."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    said = {key: _strict(value) for key, value in schema.items()}
    if said.get("x-kubernetes-int-or-string"):
        said["type"] = ["integer", "string"]
    if said.pop("nullable", False) is True and isinstance(said.get("type"), str):
        said["type"] = [said["type"], "null"]
    is_closed = not said.get("x-kubernetes-preserve-unknown-fields")
    if is_closed and said.get("type") == "object" and isinstance(said.get("properties"), dict):
        said.setdefault("additionalProperties", False)
    return said
