"""Search spaces: what is read, what is refused, and that values survive Hydra's grammar."""

from __future__ import annotations

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from openmed.choices import choice_names, conf_folder
from openmed.errors import ConfigError
from openmed.search.grid import combinations, lists_of, probes, with_axes
from openmed.search.settings import evaluations_per_epoch, read_settings
from openmed.search.space import override_text, read_space


def parse(*arguments: str):
    return OverridesParser.create().parse_overrides(list(arguments))


@pytest.mark.parametrize("space", [{"optim.lr": [1e-3, 2e-3]}, {"optim": {"lr": [1e-3, 2e-3]}}])
def test_keys_are_dotted_or_nested(space):
    (axis,) = read_space(space)
    assert (axis.key, axis.choices) == ("optim.lr", ("0.001", "0.002"))


def test_a_range_keeps_its_ends_and_kind():
    rate, rank = read_space({"a": {"low": 1e-5, "high": 1e-3, "log": True}, "b": {"low": 2, "high": 8, "int": True}})
    assert rate.log
    assert rate.values == ("1e-05", "0.001")
    assert rank.values == ("2", "8")


@pytest.mark.parametrize(
    ("space", "said"),
    [
        ({"a": []}, "empty"),
        ({"a": [1, 1]}, "twice"),
        ({"a": 3}, "is 3"),
        ({"a": {"low": 1}}, "high is None"),
        ({"a": {"low": 1, "high": 2, "lgo": True}}, "lgo"),
        ({"a": {"low": 3, "high": 2}}, "above"),
        ({"a": {"low": 0, "high": 2, "log": True}}, "above 0"),
        ({"a": {"low": 0.5, "high": 2, "int": True}}, "whole"),
        ({"a": {"low": 1, "high": 2, "step": 0}}, "step"),
        ({"a.b": [1], "a": {"b": [2]}}, "twice"),
    ],
)
def test_a_space_that_is_none_is_refused(space, said):
    with pytest.raises(ConfigError, match=said):
        read_space(space)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"kind": "tpee"}, "tpee"),
        ({"kind": "tpe", "pruner": "hyper"}, "hyper"),
        ({"kind": "tpe", "trials": 0}, "trials"),
        ({"kind": "grid", "space": {"a": {"low": 1, "high": 2}}}, "range"),
        ({"kind": "tpe", "trails": 3}, "trails"),
    ],
)
def test_settings_that_are_none_are_refused(content, said):
    with pytest.raises(ConfigError, match=said):
        read_settings(content)


@pytest.mark.parametrize(
    ("interval", "wanted"), [(None, 1), (1.0, 1), (0.5, 2), (0.34, 3), (0.25, 4), (0.7, 1), (0.0, 1)]
)
def test_evaluations_are_counted_by_the_share_of_an_epoch(interval, wanted):
    assert evaluations_per_epoch(interval, "hyperband") == wanted


@pytest.mark.parametrize("interval", [1, 100, "00:00:10:00"])
def test_evaluations_that_are_no_share_of_an_epoch_suit_no_pruner(interval):
    assert evaluations_per_epoch(interval, "none") == 1
    with pytest.raises(ConfigError, match="no share"):
        evaluations_per_epoch(interval, "median")


@pytest.mark.parametrize("name", choice_names("search"))
def test_every_preset_can_be_read(name):
    content = OmegaConf.to_container(OmegaConf.load(conf_folder() / "search" / f"{name}.yaml"))
    assert isinstance(content, dict)
    settings = read_settings({str(key): value for key, value in content.items()})
    assert bool(settings.space) == (name != "none")


@given(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(codec="ascii", exclude_categories=["Cc"])),
    )
)  # fmt: skip
def test_a_value_survives_the_command_line(value):
    (override,) = parse(f"key={override_text(value)}")
    assert override.value() == value
    assert isinstance(override.value(), str) == isinstance(value, str)


def test_an_axis_of_the_command_line_replaces_the_presets():
    axes = read_space({"lora.rank": [4, 8, 16], "optim.lr": [1, 2]})
    lists = with_axes(lists_of(parse("dataset=ncbi", "lora.rank=32,64")), axes)
    assert lists["lora.rank"] == ("lora.rank=32", "lora.rank=64")
    jobs = combinations(lists)
    assert len(jobs) == len(set(jobs)) == 4
    assert jobs[0] == ("dataset=ncbi", "lora.rank=32", "optim.lr=1")


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_probes_hold_every_entry(sizes):
    lists = {f"k{place}": tuple(f"k{place}={value}" for value in range(size)) for place, size in enumerate(sizes)}
    probed = {entry for probe in probes(lists) for entry in probe}
    assert probed == {entry for entries in lists.values() for entry in entries}
    assert len(probes(lists)) == max(sizes)
    assert set(probes(lists)) <= set(combinations(lists))


def test_ranges_of_hydra_are_no_lists():
    with pytest.raises(ConfigError, match="interval"):
        lists_of(parse("optim.lr=interval(0,1)"))
