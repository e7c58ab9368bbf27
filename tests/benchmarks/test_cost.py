"""Hours and money: by hand, and the laws that they keep."""

from __future__ import annotations

import pytest
from benchmarks.cost import LINE, Plan, main, rate_of_arithmetic


def test_a_node_by_hand():
    plan = Plan(rate=100, abstracts=1e6, start_seconds=200, shipped_bytes=600 * LINE)
    assert plan.hours == plan.node_hours == pytest.approx((200 + 10_000 + 600) / 3600)


def test_ten_nodes_share_the_tagging_and_nothing_else():
    one, ten = (Plan(rate=100, nodes=nodes, start_seconds=200, shipped_bytes=600 * LINE) for nodes in (1, 10))
    assert ten.hours == pytest.approx((200 + 1_000 + 600) / 3600)
    assert ten.node_hours == pytest.approx(10 * ten.hours)
    assert ten.hours < one.hours < ten.node_hours


def test_a_node_is_as_quick_as_the_slower_of_arithmetic_and_host():
    assert rate_of_arithmetic(6e10, 1e15, 0.3, host=1e9) == 5_000
    assert rate_of_arithmetic(6e10, 1e15, 0.3, host=800) == 800


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        ("--documents-per-second 100 --start-seconds 0", "100.0 documents/s a node, 2.78 h, 2.78 node hours\n"),
        (
            "--model-flops 6e10 --peak 1e15 --utilisation 0.3 --host 1000 --nodes 2 --start-seconds 0 --abstracts 72e5"
            " --price 3",
            "1,000.0 documents/s a node, 1.00 h, 2.00 node hours, 6.00 at 3 an hour\n",
        ),
        (
            "--documents-per-second 1000 --start-seconds 0 --abstracts 36e5 --bytes-per-abstract 125000",
            "1,000.0 documents/s a node, 2.00 h, 2.00 node hours\n",
        ),
    ],
)
def test_what_is_printed(capsys, arguments, printed):
    main(arguments.split())
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize(
    "arguments", ["", "--model-flops 6e10 --peak 1e15", "--documents-per-second 1 --model-flops 2"]
)
def test_a_plan_without_one_speed_is_refused(arguments):
    with pytest.raises(SystemExit):
        main(arguments.split())
