"""The simulation of large batches obeys what must hold whatever the figures."""

from __future__ import annotations

from dataclasses import fields, replace

import markers
import pytest
import scale
from scale import Assumed, Measured, Stages, cost, pipeline, rate_of, stages_of

MEASURED = Measured(0.01, 1.0, 0.02, 0.4, 2.0, "torch fp32", "a processor", "2026-01-01")
PLAIN = Assumed(spread=0.0)


@pytest.mark.parametrize("slow", range(5))
def test_a_process_is_as_slow_as_its_slowest_thread(slow: int) -> None:
    stages = Stages(*(10.0 if index == slow else 1.0 for index in range(5)))
    thread = 10.0 if slow == 2 else 11.0  # fetch with decode, encode with put
    assert pipeline(stages, 0.0, count=2000) == pytest.approx(thread, rel=0.02)


def test_waiting_overlaps_and_an_uneven_batch_is_slower_and_never_faster_than_its_slowest_thread() -> None:
    stages = Stages(0.5, 0.5, 1.0, 0.5, 0.5)
    even, uneven = pipeline(stages, 0.0), pipeline(stages, 0.8)
    assert even == pytest.approx(1.0, rel=0.02) and 1.0 < uneven < sum(stages)
    assert pipeline(stages, 0.8, ahead=8) < uneven  # more ahead evens it out


@pytest.mark.parametrize("gpu", [False, True])
def test_work_and_money_grow_as_the_pictures_do(gpu: bool) -> None:
    small, large = (cost(pictures, MEASURED, PLAIN, gpu=gpu) for pictures in (10**5, 10**6))
    assert large.requests == 10 * small.requests == 2_001_000
    assert large.core_hours / small.core_hours == pytest.approx(10, rel=0.05)
    assert large.dollars / small.dollars == pytest.approx(10, rel=0.05)
    assert large.hours <= PLAIN.hours + MEASURED.start / 3600 and large.workers > small.workers
    assert (large.gpu_hours > 0) == gpu
    faster = cost(10**6, MEASURED, replace(PLAIN, hours=6.0), gpu=gpu)  # four times the machines for a quarter of the time
    assert faster.core_hours == pytest.approx(large.core_hours, rel=0.05) and faster.hours < 6.1


def test_a_core_works_all_the_time_whatever_it_waits_for() -> None:
    core_seconds = 24 * (MEASURED.decode + MEASURED.network + MEASURED.encode)
    rate, held = rate_of(stages_of(MEASURED, PLAIN, gpu=False), PLAIN, gpu=False, processes=2)
    assert (rate, held) == (pytest.approx(1 / core_seconds), "network on the cores")


@pytest.mark.parametrize(
    ("change", "held"),
    [
        ({}, "network on the GPU"),
        ({"per_gpu": 1, "latency": 30.0}, "encode and put of a process"),
        ({"gpu": 0.0001, "per_gpu": 64}, "encode on the cores"),
        ({"gpu": 0.001, "per_gpu": 64, "cores_per_gpu": 64, "hours": 0.01}, "the object store"),
    ],
)
def test_the_bottleneck_moves(change: dict[str, float], held: str) -> None:
    assumed = replace(PLAIN, **change)
    assert cost(10**7, MEASURED, assumed, gpu=True).bottleneck == held


def test_the_cheaper_is_chosen_and_the_break_even_price_is_where_both_cost_the_same() -> None:
    worth = float(scale.limits(MEASURED, PLAIN).split("less than ")[1].split()[0])
    for price, chosen in ((worth * 0.9, "GPU"), (worth * 1.1, "core")):
        assert f" {chosen}s |" in scale.choices(MEASURED, replace(PLAIN, gpu_hour=price)).splitlines()[-1]


def test_the_page_holds_what_the_script_computes_from_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    page = scale.PAGE.read_text(encoding="utf-8")
    assert markers.tables(page, "scale").keys() == scale.TABLES.keys()
    assert scale.filled(page, scale.stored(), Assumed()) == page
    for field in fields(Assumed):
        assert f"`--{field.name.replace('_', '-')}`" in page
    assert scale.main([]) == 0
    assert all(make(scale.stored(), Assumed()) in capsys.readouterr().out for make in [scale.costs])
