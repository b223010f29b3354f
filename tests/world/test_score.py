"""The scorer on cases made by hand: every figure of docs/scoring.md, worked out on paper."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stocktwin.domain.errors import UsageError
from stocktwin.world.score import Answers, Truth, effect, has_truth, score
from stocktwin.world.score_balances import TOLD, balance_error
from stocktwin.world.score_cases import (
    BOOK,
    DAY,
    FOREVER,
    HOUR,
    NOTHING,
    RECORD,
    TELLINGS,
    Fault,
    cases_of,
    score_cases,
)
from stocktwin.world.score_outlook import WINDOWS, score_arrivals, score_demand


def told(*rows: tuple[Any, ...]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(TOLD.names, row, strict=True)) for row in rows], schema=TOLD)


def tellings(*rows: tuple[Any, ...], of_book: bool = False) -> pa.Table:
    """When told, cause, item, location, and the moments that it is about."""
    names = ("told_at", "cause", "item_id", "location_id")
    told = [dict(zip(names, row[:4], strict=True)) | {"of_book": of_book, "moments": sorted(row[4:])} for row in rows]
    return pa.Table.from_pylist(told, schema=TELLINGS)


def windows(*rows: tuple[Any, ...]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(WINDOWS.names, row, strict=True)) for row in rows], schema=WINDOWS)


LATER = Fault("theft", "C", "D", 12 * DAY + 6 * HOUR, FOREVER)


class TestBalances:
    truth = told((0, "A", "D", 10.0), (0, "B", "D", 30.0), (1, "A", "D", 8.0), (1, "B", "D", 32.0))

    def test_figures_over_two_days(self) -> None:
        said = told((0, "A", "D", 13.0), (0, "B", "D", 30.0), (1, "A", "D", 8.0), (1, "B", "D", 27.0))
        found = balance_error(self.truth, said, {"A": 2.0, "B": 1.0})
        assert found["mae"] == 2.0
        assert found["bias"] == -0.5
        assert found["wape"] == 8 / 80
        assert found["exact"] == 0.5
        assert found["value"] == (3 * 2.0 + 5 * 1.0) / 2
        assert found["answered"] == 1.0
        assert [(day["date"], day["mae"]) for day in found["by_day"]] == [("1970-01-01", 1.5), ("1970-01-02", 2.5)]

    def test_silence_is_not_zero(self) -> None:
        found = balance_error(self.truth, told((0, "A", "D", 10.0), (1, "A", "D", 8.0)), {})
        assert (found["mae"], found["answered"], found["value"]) == (0.0, 0.5, None)

    def test_what_is_not_there_is_zero_on_a_stated_day(self) -> None:
        found = balance_error(self.truth, told((0, "C", "D", 4.0)), {})
        assert found["mae"] == 4.0
        assert found["answered"] == 1 / 3

    def test_days_that_the_truth_does_not_state_are_left_out(self) -> None:
        assert balance_error(self.truth, told((7, "A", "D", 4.0)), {})["mae"] is None

    def test_lots_are_added_up(self) -> None:
        lots = told((0, "A", "D", 4.0), (0, "A", "D", 6.0))
        assert balance_error(lots, told((0, "A", "D", 10.0)), {})["exact"] == 1.0


class TestCases:
    faults = (
        Fault("duplicate_post", "A", "D", 10 * DAY, FOREVER),
        Fault("duplicate_post", "B", "D", 10 * DAY, 12 * DAY),
        Fault("theft", "C", "D", 5 * DAY, FOREVER),
        Fault("silent_system", None, "E", 20 * DAY, 21 * DAY),
    )

    def scored(self, *rows: tuple[Any, ...]) -> dict[str, Any]:
        return score_cases(self.faults, tellings(*rows), since=9 * DAY, until=39 * DAY, item_locations=2000)

    def test_a_fault_found_under_its_name(self) -> None:
        found = self.scored(*[(day * DAY, "duplicate_post", "A", "D", 10 * DAY, 10 * DAY) for day in (12, 13, 14)])
        figures = found["causes"]["duplicate_post"]
        assert figures == {"precision": 1.0, "recall": 0.5, "median_hours": 48.0, "p90_hours": 48.0}
        assert found["false_cases_per_1000_month"] == 0.0
        assert found["cases"] == {"faults": 4, "noticed": 1, "told": 1, "right": 1, "false": 0}

    def test_a_name_that_fits_is_no_false_alarm_and_no_find(self) -> None:
        found = self.scored((12 * DAY, "missing_post", "A", "D", 10 * DAY, 10 * DAY))
        assert found["causes"]["missing_post"]["precision"] == 0.0
        assert found["causes"]["duplicate_post"]["recall"] == 0.0
        assert found["causes"]["duplicate_post"]["precision"] is None
        assert (found["cases"]["noticed"], found["cases"]["false"]) == (1, 0)

    def test_a_name_that_does_not_fit_is_a_false_alarm(self) -> None:
        found = self.scored((12 * DAY, "pack_factor", "A", "D", 10 * DAY, 10 * DAY))
        assert (found["cases"]["noticed"], found["cases"]["false"]) == (0, 1)

    def test_a_symptom_fits_what_makes_its_book_wrong(self) -> None:
        def false(wrong: str, of_book: bool) -> int:
            fault = Fault("duplicate_post", "A", "D", 10 * DAY, FOREVER, wrong)
            rows = tellings((12 * DAY, None, "A", "D", 11 * DAY), of_book=of_book)
            found = score_cases([fault], rows, since=9 * DAY, until=39 * DAY, item_locations=2000)
            return int(found["cases"]["false"])

        assert [false(wrong, of_book=False) for wrong in (RECORD, BOOK, NOTHING)] == [0, 1, 1]
        assert [false(wrong, of_book=True) for wrong in (RECORD, BOOK, NOTHING)] == [0, 0, 1]

    def test_a_fault_between_two_facts_of_a_case_is_not_what_it_is_about(self) -> None:
        """Written off on days 2 and 30: what stood from the 10th to the 12th is something else."""
        found = self.scored((31 * DAY, "duplicate_post", "B", "D", 2 * DAY, 30 * DAY))
        assert (found["causes"]["duplicate_post"]["recall"], found["cases"]["false"]) == (0.0, 1)

    def test_a_case_about_nothing_is_a_false_alarm(self) -> None:
        found = self.scored((12 * DAY, None, "X", "D", 10 * DAY, 10 * DAY))
        assert found["false_cases_per_1000_month"] == 0.5

    def test_time_and_place_must_fit(self) -> None:
        late = self.scored((30 * DAY, "duplicate_post", "B", "D", 15 * DAY, 15 * DAY))
        assert late["cases"]["false"] == 1
        in_time = self.scored((30 * DAY, "duplicate_post", "B", "D", 14 * DAY, 14 * DAY))
        assert in_time["causes"]["duplicate_post"]["recall"] == 0.5
        elsewhere = self.scored((12 * DAY, "duplicate_post", "A", "E", 10 * DAY, 10 * DAY))
        assert elsewhere["cases"]["false"] == 1

    def test_faults_from_before_the_period_count_for_recall_but_not_for_hours(self) -> None:
        found = self.scored((12 * DAY, "theft", "C", "D", 6 * DAY, 11 * DAY))["causes"]["theft"]
        assert found == {"precision": 1.0, "recall": 1.0, "median_hours": None, "p90_hours": None}

    def test_a_label_without_an_item_is_about_every_item(self) -> None:
        found = self.scored((22 * DAY, "silent_system", "Z", "E", 20 * DAY, 20 * DAY))
        assert found["causes"]["silent_system"]["recall"] == 1.0
        assert found["cases"]["false"] == 0

    def test_a_label_without_an_item_excuses_no_other_cause(self) -> None:
        found = self.scored((22 * DAY, "pack_factor", "Z", "E", 20 * DAY, 20 * DAY))
        assert (found["cases"]["false"], found["cases"]["noticed"]) == (1, 0)

    def test_the_backlog_finds_faults_but_is_neither_right_nor_false(self) -> None:
        found = self.scored(
            (9 * DAY, "theft", "C", "D", 6 * DAY, 8 * DAY), (9 * DAY, "theft", "X", "D", 6 * DAY, 8 * DAY)
        )
        assert found["causes"]["theft"] == {"precision": None, "recall": 1.0, "median_hours": None, "p90_hours": None}
        assert found["cases"] == {"faults": 4, "noticed": 1, "told": 0, "right": 0, "false": 0}

    def test_silence_makes_a_new_case(self) -> None:
        days = (12, 15, 18, 22)
        cases = cases_of(tellings(*[(d * DAY, "theft", "C", "D", d * DAY, (d + 1) * DAY) for d in days]))
        assert [(case.told_at // DAY, [moment // DAY for moment in case.moments]) for case in cases] == [
            (12, [12, 13, 15, 16, 18, 19]),
            (22, [22, 23]),
        ]

    def test_hours_are_of_the_first_telling(self) -> None:
        found = self.scored(
            (10 * DAY + 6 * HOUR, "duplicate_post", "A", "D", 10 * DAY, 10 * DAY),
            (20 * DAY, "duplicate_post", "B", "D", 10 * DAY, 10 * DAY),
        )["causes"]["duplicate_post"]
        assert (found["recall"], found["median_hours"], found["p90_hours"]) == (1.0, 123.0, pytest.approx(216.6))

    def test_what_was_told_only_before_a_fault_began_is_not_about_it(self) -> None:
        early = tellings((11 * DAY, "theft", "C", "D", 10 * DAY, 11 * DAY))
        found = score_cases([LATER], early, since=9 * DAY, until=39 * DAY, item_locations=2000)
        assert (found["causes"]["theft"]["recall"], found["cases"]["false"]) == (0.0, 1)

    def test_hours_count_from_the_fault_even_where_the_case_is_older(self) -> None:
        nights = tellings(*[(d * DAY, "theft", "C", "D", 10 * DAY, 11 * DAY) for d in (11, 12, 13)])
        scored = score_cases([LATER], nights, since=9 * DAY, until=39 * DAY, item_locations=2000)
        found = scored["causes"]["theft"]
        assert (found["recall"], found["median_hours"]) == (1.0, 18.0)

    def test_nothing_told_nothing_wrong_is_null(self) -> None:
        found = score_cases([], tellings(), since=0, until=0, item_locations=0)
        assert found["causes"] == {}
        assert found["false_cases_per_1000_month"] is None


class TestArrivals:
    def test_coverage_and_loss(self) -> None:
        window = windows(
            (0, "P1", "1", 2 * DAY, 4 * DAY, 8 * DAY),
            (0, "P2", "1", 2 * DAY, 4 * DAY, 8 * DAY),
        )
        found = score_arrivals(window, {("P1", "1"): 7 * DAY + 9 * HOUR, ("P2", "1"): 8 * DAY + HOUR}, 100 * DAY)
        assert found["coverage_80"] == 0.5
        assert (found["lines"], found["orders"]) == (2, 2)
        first = (0.1 * 6 + 0.5 * 4 + 0.9 * 0) / 3
        second = (0.1 * 7 + 0.5 * 5 + 0.9 * 1) / 3
        assert found["pinball_days"] == pytest.approx((first + second) / 2)

    def test_an_instant_stands_for_the_day_that_it_ends(self) -> None:
        window = windows((0, "P", "1", 5 * DAY, 5 * DAY, 5 * DAY))
        on_time = score_arrivals(window, {("P", "1"): 4 * DAY + HOUR}, 100 * DAY)
        assert (on_time["coverage_80"], on_time["pinball_days"]) == (1.0, 0.0)
        assert score_arrivals(window, {("P", "1"): 4 * DAY}, 100 * DAY)["coverage_80"] == 0.0

    def test_lines_of_one_order_are_many_lines_and_one_order(self) -> None:
        window = windows(*[(0, "P1", str(line), DAY, DAY, 2 * DAY) for line in (1, 2, 3)])
        found = score_arrivals(window, {}, 100 * DAY)
        assert (found["lines"], found["orders"]) == (3, 1)

    def test_too_late_a_window_costs_the_other_way(self) -> None:
        found = score_arrivals(windows((0, "P", "1", 5 * DAY, 5 * DAY, 5 * DAY)), {("P", "1"): 3 * DAY}, 100 * DAY)
        assert found["pinball_days"] == pytest.approx((0.9 * 2 + 0.5 * 2 + 0.1 * 2) / 3)

    def test_only_windows_that_have_closed_are_scored(self) -> None:
        window = windows((0, "P1", "1", DAY, DAY, 2 * DAY), (0, "P2", "1", DAY, 5 * DAY, 30 * DAY))
        found = score_arrivals(window, {("P2", "1"): 5 * DAY}, 10 * DAY)
        assert (found["coverage_80"], found["lines"], found["unknown"]) == (0.0, 1, 1)
        assert found["pinball_days"] == pytest.approx((0.1 * 9 + 0.5 * 9 + 0.9 * 8) / 3)


class TestDemand:
    asked = pa.table(
        {
            "date": pa.array([10, 11, 12, 20, 11], pa.int32()).cast(pa.date32()),
            "item_id": ["A", "A", "A", "A", "B"],
            "location_id": ["D"] * 5,
            "asked": pa.array([Decimal(1), Decimal(2), Decimal(3), Decimal(50), Decimal(100)]),
        }
    )

    def forecast(self, *rows: tuple[Any, ...]) -> pa.Table:
        names = ("first_day", "horizon", "item_id", "location_id", "q50", "q90")
        return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])

    def test_loss_of_one_sum(self) -> None:
        found = score_demand(self.forecast((11, 5, "A", "D", 3.0, 9.0)), self.asked, {"q50": 0.5, "q90": 0.9}, last=40)
        assert found["weighted_quantile_loss"] == pytest.approx(2 * (0.5 * 2 + 0.1 * 4) / 2 / 5)

    def test_horizons_beyond_the_truth_are_left_out(self) -> None:
        told = self.forecast((11, 5, "A", "D", 5.0, 5.0), (18, 5, "A", "D", 0.0, 0.0))
        found = score_demand(told, self.asked, {"q50": 0.5, "q90": 0.9}, last=20)
        assert found == {"weighted_quantile_loss": 0.0, "sums": 1}

    def test_no_demand_is_null(self) -> None:
        found = score_demand(self.forecast((11, 5, "C", "D", 5.0, 5.0)), self.asked, {"q50": 0.5}, last=40)
        assert found == {"weighted_quantile_loss": None, "sums": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A truth folder of one item at two places."""
    noon = datetime(1970, 1, 11, 12, tzinfo=UTC)
    moved = [
        {"event_time": noon, "kind": kind, "item_id": "A", "quantity": Decimal(n), "from_id": a, "to_id": b,
         "condition": left, "to_condition": entered, "order_id": order, "line": line}
        for kind, n, a, b, left, entered, order, line in [
            ("adjustment", 10, "gain", "D", None, None, None, None),
            ("receipt", 5, "S", "D", None, None, "P1", "1"),
            ("transfer_out", 4, "D", "E", None, None, "T1", "1"),
            ("return", 2, "customer", "D", None, "returned", None, None),
            ("status", 1, "D", "D", "returned", "unrestricted", None, None),
        ]
    ]  # fmt: skip
    tables = {
        "balances": [{"date": date(1970, 1, 11), "item_id": "A", "location_id": "D", "lot": None,
                      "quantity": Decimal(12)}],
        "movements": moved,
        "demand": [{"date": date(1970, 1, 11), "item_id": "A", "location_id": "D", "asked": Decimal(3)}],
        "faults": [{"fault_id": "F", "cause": "theft", "item_id": "A", "location_id": "D",
                    "start": date(1970, 1, 11), "end": None, "units": Decimal(1), "value": 1.0}],
    }  # fmt: skip
    (tmp_path / "truth").mkdir()
    for name, rows in tables.items():
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "truth" / f"{name}.parquet")
    return tmp_path


class TestTruth:
    def test_stock_follows_the_movements(self, folder: Path) -> None:
        assert Truth(folder).on_hand("A", "D").column("quantity").to_pylist()[-1] == 12.0
        assert Truth(folder).on_hand("A", "E").num_rows == 0

    def test_a_transfer_in_enters_its_destination_only(self) -> None:
        came = {"kind": "transfer_in", "from_id": "D", "to_id": "E", "quantity": 4, "condition": None,
                "to_condition": None}  # fmt: skip
        assert [effect(came, place) for place in "DE"] == [0, 4]

    def test_what_a_label_makes_wrong(self, folder: Path) -> None:
        path = folder / "truth" / "faults.parquet"
        row = pq.read_table(path).to_pylist()[0]
        others = [
            {"cause": "missing_post", "on_record": False, "units": Decimal(4)},  # in the ERP's own book
            {"cause": "stray_read", "on_record": False, "units": Decimal(4)},
            {"cause": "silent_system", "on_record": False, "units": None},  # a dead scale
        ]
        rows = [row | {"on_record": True}, *(row | other for other in others)]
        pq.write_table(pa.Table.from_pylist(rows), path)
        assert [fault.wrong for fault in Truth(folder).faults] == [RECORD, BOOK, NOTHING, NOTHING]

    def test_labels_by_day_start_at_noon(self, folder: Path) -> None:
        assert Truth(folder).faults == [Fault("theft", "A", "D", 10 * DAY + 12 * HOUR, FOREVER)]

    def test_arrivals_come_from_true_movements(self, folder: Path) -> None:
        assert Truth(folder).arrivals == {("P1", "1"): 10 * DAY + 12 * HOUR}

    def test_figures_that_were_not_asked_for_are_absent(self, folder: Path) -> None:
        answers = Answers(0, 20 * DAY, 2, {}, record=told((10, "A", "D", 13.0)))
        found = score(Truth(folder), answers)
        assert set(found) == {"record", "books"}
        assert found["record"]["mae"] == 1.0

    def test_a_folder_without_truth_is_named(self, tmp_path: Path) -> None:
        assert not has_truth(tmp_path)
        with pytest.raises(UsageError, match=str(tmp_path)):
            Truth(tmp_path)


def test_a_finding_told_at_each_of_rare_askings_is_one_case() -> None:
    told = tellings(*[(d * DAY, "theft", "C", "D", d * DAY, (d + 1) * DAY) for d in (1, 8, 15, 29)])
    assert [len(cases_of(told, every)) for every in (1, 7, 14)] == [4, 2, 1]
