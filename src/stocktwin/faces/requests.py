"""Bodies of requests. Answers are the plain dicts of `app.usecases`, the same that the command line prints."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


def _no_file(scenario: str | dict[str, Any]) -> str | dict[str, Any]:
    """The command line takes files as scenarios; a visitor of the server must not reach files of its machine."""
    if isinstance(scenario, dict):
        return {**scenario, "base": _no_file(scenario["base"])} if isinstance(scenario.get("base"), str) else scenario
    name = scenario.strip()
    if not name or len(name) > 200 or name.endswith(".toml") or "/" in name or "\\" in name:
        raise ValueError("must be the name of a scenario, not of a file")
    return name


Scenario = Annotated[str | dict[str, Any], AfterValidator(_no_file)]


class SimulationRequest(BaseModel):
    """Scenarios to run against the live state, each by name, by name with other parameters (`base`, `parameters`), or
    as a whole document."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"scenarios": ["supplier_outage"], "replications": 200, "seed": 0}]},
    )

    scenarios: Annotated[list[Scenario], Field(min_length=1, max_length=20)]
    replications: Annotated[int, Field(ge=2, le=10_000)] = 200
    horizon: Annotated[int | None, Field(ge=1, le=3_650, description="days; by default set by the scenario")] = None
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    warmup: Annotated[int, Field(ge=0, le=3_650, description="first days of the horizon that are not counted")] = 0


class DecisionRequest(BaseModel):
    """Who decides on a recommendation, and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"by": "Maya", "reason": "agreed with the warehouse"}]}
    )

    by: Annotated[Name, Field(description="name of the person who decides")]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=2_000)] = ""


class DiscardRequest(BaseModel):
    """Which quarantined rows are put aside for good, by whom and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"ids": [3000001], "by": "Maya", "reason": "a test delivery"}]}
    )

    ids: Annotated[list[int], Field(min_length=1, max_length=100_000, description="`quarantine_id` of each")]
    by: Annotated[Name, Field(description="name of the person who decides")]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
