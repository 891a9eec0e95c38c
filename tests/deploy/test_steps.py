"""Secrets in payloads: by name where people read, by value where a platform does."""

from __future__ import annotations

import pytest

from podium.deploy.steps import Secret, hidden, masked, resolved, secrets_in
from podium.errors import DeployError

PAYLOAD = {"a": [{"value": Secret("A")}, 1], "b": Secret("B"), "c": ("x", None)}


def test_masked() -> None:
    """What is shown names secrets and keeps all else."""
    assert masked(PAYLOAD) == {
        "a": [{"value": "*** (the value of A)"}, 1], "b": "*** (the value of B)", "c": ["x", None],
    }  # fmt: skip
    assert list(secrets_in(PAYLOAD)) == ["A", "B"]


def test_resolved() -> None:
    """What is sent has the values; one that is missing is told by name."""
    told = {"A": "1", "B": "2"}
    assert resolved(PAYLOAD, told) == {"a": [{"value": "1"}, 1], "b": "2", "c": ["x", None]}
    with pytest.raises(DeployError, match="The environment has no value for B, "):
        resolved(PAYLOAD, {"A": "1"})


def test_hidden() -> None:
    """What others say is freed of the values of secrets, of no others, and of no empty one."""
    told = {"A": "s3cret", "B": "", "C": "open"}
    assert hidden("s3cret, open", ["A", "B", "D"], told) == "*** (the value of A), open"


def test_hidden_where_one_is_part_of_another() -> None:
    """The longer one goes as a whole, whichever is named first."""
    told = {"A": "abcd1234", "URL": "postgresql://ada:abcd1234@db/x"}
    assert hidden(f"{told['URL']} abcd1234", ["A", "URL"], told) == (
        "*** (the value of URL) *** (the value of A)"
    )


@pytest.mark.parametrize(
    "written",
    ['{"K": "-----\\nab\\"cdefgh\\n--"}', "K=-----%0Aab%22cdefgh%0A--", "  ab\"cdefgh",
     "K: LS0tLS0KYWIiY2RlZmdoCi0t"],
)  # fmt: skip
def test_hidden_however_it_is_written(written: str) -> None:
    """As JSON, in an address, as base64, or line by line as programs print a key."""
    text = hidden(written, ["K"], {"K": '-----\nab"cdefgh\n--'})
    assert "cdefgh" not in text
    assert "Y2RlZmdo" not in text
    assert "*** (the value of K)" in text
