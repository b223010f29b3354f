"""The REST interface as a page, made from its own OpenAPI description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Operation:
    """One path and method, ready to be shown."""

    method: str
    path: str
    summary: str
    parameters: tuple[dict[str, Any], ...]
    example: Any


def operations(description: dict[str, Any]) -> dict[str, list[Operation]]:
    """Operations of an OpenAPI document by tag, in the document's order."""
    groups: dict[str, list[Operation]] = {}
    for path, methods in description["paths"].items():
        for method, one in methods.items():
            parameters = tuple(_parameter(entry) for entry in one.get("parameters", ()))
            shown = Operation(method.upper(), path, one.get("summary", ""), parameters, _example(description, one))
            groups.setdefault(one.get("tags", ["other"])[0], []).append(shown)
    return groups


def _parameter(entry: dict[str, Any]) -> dict[str, Any]:
    schema = entry.get("schema", {})
    kinds = [part.get("type") for part in schema.get("anyOf", [schema])]
    return {
        "name": entry["name"],
        "where": entry["in"],
        "required": entry.get("required", False),
        "kind": next((kind for kind in kinds if kind not in (None, "null")), ""),
        "default": schema.get("default"),
        "description": entry.get("description", ""),
    }


def _example(description: dict[str, Any], one: dict[str, Any]) -> Any:
    for media in one.get("requestBody", {}).get("content", {}).values():
        if "example" in media:
            return media["example"]
        name = media.get("schema", {}).get("$ref", "").rpartition("/")[2]
        examples = description.get("components", {}).get("schemas", {}).get(name, {}).get("examples")
        if examples:
            return examples[0]
    return None
