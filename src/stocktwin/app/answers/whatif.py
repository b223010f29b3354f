"""Scenarios: which there are, and what they would do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stocktwin.app.answers.values import plain_answer
from stocktwin.domain.errors import NotFoundError
from stocktwin.domain.ports import Progress

if TYPE_CHECKING:
    from stocktwin.app.model import Model
    from stocktwin.simulation.scenario import Scenario

DEFAULT_REPLICATIONS = 200


def scenarios(root: Path) -> dict[str, Any]:
    """The built-in library and the files of `scenarios/` in the twin."""
    from stocktwin.simulation.scenario import describe_library, load_scenario

    known = [{**entry, "source": "library"} for entry in describe_library()]
    for path in sorted((root / "scenarios").glob("*.toml")):
        scenario = load_scenario(path)
        known.append(
            {
                "name": path.stem,
                "title": scenario.title,
                "description": scenario.description,
                "source": "twin",
                "parameters": {},
            }
        )
    return plain_answer({"scenarios": known})


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

    parsed = [_scenario(root, one) for one in chosen]
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


def _scenario(root: Path, one: str | Mapping[str, Any]) -> Scenario:
    from stocktwin.simulation.scenario import load_scenario, parse_scenario

    if not isinstance(one, str):
        return parse_scenario(one, str(one.get("name") or "scenario"))
    if one.endswith(".toml"):
        path = Path(one)
        if not path.exists():
            raise NotFoundError("scenario file", one)
        return load_scenario(path)
    own = root / "scenarios" / f"{one}.toml"
    return load_scenario(own if "/" not in one and own.exists() else one)
