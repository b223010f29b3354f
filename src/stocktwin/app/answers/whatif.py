"""Scenarios: which there are, and what they would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.values import plain_answer
from stocktwin.domain.errors import NotFoundError, StocktwinError, UsageError
from stocktwin.domain.ports import Progress

if TYPE_CHECKING:
    from stocktwin.app.model import Model
    from stocktwin.simulation.scenario import Scenario

DEFAULT_REPLICATIONS = 200


def scenarios(root: Path) -> dict[str, Any]:
    """The built-in library and the files of `scenarios/` in the twin; one that cannot be used says why (`problem`)."""
    from stocktwin.simulation.scenario import describe_library

    known = [{**entry, "source": "library"} for entry in describe_library()]
    known += [{**_described(path), "source": "twin"} for path in sorted((root / "scenarios").glob("*.toml"))]
    return plain_answer({"scenarios": known})


def _described(path: Path) -> dict[str, Any]:
    from stocktwin.simulation.scenario import describe_scenario

    try:
        return describe_scenario(path)
    except StocktwinError as error:
        return {"name": path.stem, "title": path.stem, "description": "", "parameters": {}, "problem": str(error)}


def scenario_text(root: Path, name: str) -> dict[str, Any]:
    """A scenario as TOML: one of the twin's own, else of the library."""
    from stocktwin.simulation.scenario import library_text

    own = root / "scenarios" / f"{name}.toml"
    if own.parent.resolve() == own.resolve().parent and own.exists():
        return {"name": name, "toml": own.read_text(encoding="utf-8")}
    return {"name": name, "toml": library_text(name)}


def simulate_scenarios(
    model: Model,
    root: Path,
    chosen: Sequence[str | Mapping[str, Any]],
    *,
    replications: int | None,
    horizon: int | None,
    warmup: int,
    seed: int,
    progress: Progress,
) -> dict[str, Any]:
    """Scenarios (names, files or dicts) beside the baseline, as paired differences."""
    from stocktwin.simulation.engine import simulate

    parsed = [read_scenario(root, one) for one in chosen]
    declared = [scenario.replications for scenario in parsed if scenario.replications is not None]
    result = simulate(
        model.compiled,
        [scenario for scenario in parsed if scenario.acts],
        replications=replications or max(declared, default=DEFAULT_REPLICATIONS),
        horizon=horizon,
        warmup=warmup,
        seed=seed,
        progress=progress,
    )
    return plain_answer(result.to_dict())


def read_scenario(root: Path, one: str | Mapping[str, Any]) -> Scenario:
    """A scenario by its name or file, from a document, or with other parameters: `{"base": …, "parameters": {…}}`.

    Names and files of scenarios that happen together are joined by a plus sign.
    """
    from stocktwin.simulation.compose import JOINT
    from stocktwin.simulation.scenario import load_scenario, parse_scenario

    parameters: Mapping[str, Any] = {}
    if not isinstance(one, str):
        if "base" not in one:
            return parse_scenario(one, str(one.get("name") or "scenario"))
        one, parameters = _based(one)
    if JOINT in one and not Path(one).exists():
        return load_scenario(JOINT.join(str(_named(root, part.strip())) for part in one.split(JOINT)), parameters)
    return load_scenario(_named(root, one), parameters)


def _named(root: Path, name: str) -> str | Path:
    """The file of a scenario, where it is one; else that of the twin's own, else the name as the library has it."""
    if name.endswith(".toml"):
        if not Path(name).exists():
            raise NotFoundError("scenario file", name)
        return Path(name)
    own = root / "scenarios" / f"{name}.toml"
    return own if "/" not in name and own.exists() else name


def _based(given: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    base, parameters = given["base"], given.get("parameters") or {}
    if not isinstance(base, str) or not isinstance(parameters, Mapping) or not set(given) <= {"base", "parameters"}:
        raise UsageError(f"scenario: expected {{'base': name, 'parameters': {{…}}}}, not {dict(given)!r}")
    return base, parameters
