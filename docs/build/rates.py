"""The table of rates in docs/world.md, from `stocktwin.world.rates`: `python docs/build/rates.py` writes it anew."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from stocktwin.world.rates import Rates

PAGE = Path(__file__).resolve().parents[1] / "world.md"
BEGIN, END = "<!-- rates: docs/build/rates.py -->", "<!-- end of rates -->"


def table() -> str:
    """One row a rate: its name, default, what it counts, and where it comes from."""
    rows = [
        f"| `{one.name}` | {one.default:g} | {one.metadata['per']} | {one.metadata['source']} |"
        for one in fields(Rates)
    ]
    return "\n".join(["| rate | default | per | source |", "|---|---|---|---|", *rows])


def render(page: str) -> str:
    """The page with the table as it should be."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
