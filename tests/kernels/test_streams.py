"""Random streams: the published generator, uniform, independent of one another, the same wherever they are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from stocktwin.kernels.jit import jit_disabled
from stocktwin.kernels.streams import (
    DEMAND,
    DISRUPTION,
    LEAD_TIME,
    LEVEL,
    OPEN_ORDER,
    SHOCK,
    draw,
    fill_draws,
    fill_replications,
    low16,
    mix64,
    signed,
    stream_key,
    uniforms,
)
from stocktwin.simulation.reference import number, splitmix, stream

pytestmark = pytest.mark.kernels
SIZE = 4_000 if jit_disabled() else 400_000
FULL = 4294967296.0
ENOUGH = 1e-4
"""A fixed seed either passes or does not; a broken sampler is below this by hundreds of orders of magnitude."""


def drawn(seed: int, thing: int, purpose: int = int(DEMAND), replication: int = 0, size: int = SIZE) -> np.ndarray:
    """Uniforms of one stream, by day."""
    out = np.empty(size, np.int64)
    fill_draws(seed, signed(thing), purpose, replication, out)
    return out / FULL


def test_splitmix64_is_the_published_one() -> None:
    # The first outputs of the reference implementation with state 1234567.
    key = np.uint64(1234567)
    with np.errstate(over="ignore"):
        first = [int(draw.py_func(key, n)) for n in range(3)]
        mixed = int(mix64.py_func(np.uint64(2**63 + 5)))
    assert first == [6457827717110365317, 3203168211198807973, 9817491932198370423]
    assert mixed == splitmix(2**63 + 5)
    assert [number(1234567, n) for n in range(3)] == first


@pytest.mark.parametrize("thing", [0, 5, 2**63 - 1, 2**63, 2**64 - 1])
def test_compiled_streams_agree_with_exact_integers(thing: int) -> None:
    for seed, replication, purpose in ((0, 0, 1), (2**40 + 1, 17, 3), (2**63 - 1, 2_000_000, 6)):
        ours = np.empty(4, np.int64)
        fill_draws(seed, signed(thing), purpose, replication, ours)
        key = stream(seed, thing, replication, purpose)
        assert ours.tolist() == [number(key, n) >> 32 for n in range(4)]


def test_numbers_of_one_stream_are_uniform() -> None:
    for thing in (1, 2, 2**63 + 9):
        assert stats.kstest(drawn(7, thing), "uniform").pvalue > ENOUGH


def test_numbers_over_things_and_over_replications_are_uniform() -> None:
    over_things = np.array([drawn(7, thing, size=1)[0] for thing in range(2_000)])
    assert stats.kstest(over_things, "uniform").pvalue > ENOUGH
    over_replications = np.empty(SIZE, np.int64)
    fill_replications(7, 11, int(DEMAND), 5, over_replications)
    assert stats.kstest(over_replications / FULL, "uniform").pvalue > ENOUGH
    assert over_replications[3] / FULL == drawn(7, 11, replication=3, size=6)[5]


def test_successive_numbers_and_neighbouring_streams_are_independent() -> None:
    base = drawn(7, 1)
    others = {
        "the next day": np.roll(base, 1), "the next thing": drawn(7, 2), "the next seed": drawn(8, 1),
        "the next replication": drawn(7, 1, replication=1), "another purpose": drawn(7, 1, int(LEVEL)),
    }  # fmt: skip
    for name, other in others.items():
        table, _, _ = np.histogram2d(base, other, bins=16, range=[[0, 1], [0, 1]])
        assert stats.chisquare(table.ravel()).pvalue > ENOUGH, name


def test_the_16_bits_that_round_do_not_follow_the_32_that_choose() -> None:
    size = 2_000 if jit_disabled() else 20_000
    bits = [number(stream(1, 5, 0, 1), n) for n in range(size)]
    assert [int(low16.py_func(np.uint64(b))) for b in bits[:50]] == [b % 65536 for b in bits[:50]]
    table, _, _ = np.histogram2d([b >> 32 for b in bits], [b % 65536 for b in bits], bins=8,
                                 range=[[0, FULL], [0, 65536]])  # fmt: skip
    assert stats.chisquare(table.ravel()).pvalue > ENOUGH


def test_purposes_differ_and_keys_hold_a_replication_each() -> None:
    purposes = (DEMAND, LEVEL, LEAD_TIME, OPEN_ORDER, SHOCK, DISRUPTION)
    with np.errstate(over="ignore"):
        keys = {int(stream_key.py_func(np.uint64(1), np.uint64(2), r, purpose)) for purpose in purposes
                for r in range(50)}  # fmt: skip
    assert len(keys) == len(purposes) * 50


def test_uniforms_lie_below_one_and_do_not_depend_on_how_many_are_drawn() -> None:
    few, many = uniforms(3, 2**64 - 1, DISRUPTION, 0, 10), uniforms(3, 2**64 - 1, DISRUPTION, 0, 500)
    assert few.tolist() == many[:10].tolist()
    assert 0 <= many.min() < many.max() < 1
