from __future__ import annotations

import pytest

from formulations.errors import FormulationError
from formulations.partition import Partition
from formulations.registry import FORMULATIONS, parse_formulation


@pytest.mark.parametrize("name", sorted(FORMULATIONS))
def test_every_name_gives_its_class_with_defaults(name: str) -> None:
    form = parse_formulation(name)
    assert type(form) is FORMULATIONS[name]
    assert form.name == name
    assert form == FORMULATIONS[name]()
    assert hash(form) == hash(parse_formulation(name))  # frozen: settings may hold it


def test_the_names_are_the_documented_ones() -> None:
    assert set(FORMULATIONS) == {"big-m", "multiple-choice", "partition", "indicator", "sos1", "triangle"}


def test_parameters_come_after_colons() -> None:
    assert parse_formulation("partition:4") == Partition(groups=4)
    assert parse_formulation("partition:7:equal-range") == Partition(groups=7, grouping="equal-range")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bigm", r"no formulation 'bigm'; choose one of big-m, indicator"),
        ("", r"no formulation ''"),
        ("big-m:2", r"'big-m:2' gives big-m too many parameters; it takes none"),
        ("partition:2:equal-size:3", r"too many parameters; it takes groups, grouping"),
        ("partition:0", r"positive number of groups, 0 was given"),
        ("partition:-3", r"positive number of groups, -3 was given"),
        ("partition:two", r"positive number of groups, 'two' was given"),
        ("partition:", r"positive number of groups, '' was given"),
        ("partition:2:odd", r"no grouping 'odd'; choose one of equal-range, equal-size"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_sentence(text: str, words: str) -> None:
    with pytest.raises(FormulationError, match=words):
        parse_formulation(text)
