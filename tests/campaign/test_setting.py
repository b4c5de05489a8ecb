"""Settings as text."""

from __future__ import annotations

import pytest

from netopt.campaign.setting import parse_setting
from netopt.errors import InvalidOptionError


def test_a_setting_is_a_name_and_options() -> None:
    setting = parse_setting("name=hull, solver=highs,formulation=partition:4,no-attack,seed=3")
    assert setting.name == "hull"
    assert setting.arguments() == ["--solver=highs", "--formulation=partition:4", "--no-attack", "--seed=3"]
    assert setting.text == "solver=highs,formulation=partition:4,no-attack,seed=3"
    assert (setting.get("seed"), setting.get("gap", "0")) == ("3", "0")


def test_without_a_name_the_text_names_it() -> None:
    assert parse_setting("solver=scip").name == "solver=scip"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has the part ''"),
        ("solver=", "has the part 'solver='"),
        ("solver=highs,,seed=1", "has the part ''"),
        ("solver=highs,solver=scip", "gives 'solver' twice"),
        ("time-limit=3", "may not give 'time-limit'"),
        ("output=1", "may not give 'output'"),
    ],
)
def test_a_bad_setting_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidOptionError, match=message):
        parse_setting(text)


def test_another_program_is_no_option() -> None:
    setting = parse_setting("name=peer,program='my python' peer.py,solver=scip")
    assert setting.program == ("my python", "peer.py")
    assert (
        parse_setting("name=peer,program=/bin/python x/peer.py,solver=scip").text
        == "program=python peer.py,solver=scip"
    )
    assert setting.arguments() == ["--solver=scip"]
