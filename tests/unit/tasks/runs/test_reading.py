"""What a task is told of its run."""

import pytest

from entrepot.tasks.model import Platform
from entrepot.tasks.runs.reading import Reading

LINUX = Platform("linux", "amd64")


@pytest.mark.parametrize("branch", ["main", "feature/a-b_c.1", "dependabot/npm/@types/node-22", "v1.2+x", "", "#7"])
def test_a_branch_is_told(branch: str) -> None:
    assert Reading("ca1", "team", "team.example", branch=branch).given(LINUX).branch == branch


@pytest.mark.parametrize(
    "branch", ["x;id", "x$(id)", "x`id`", "a&b", "a|b", "'", '"', "{{.Values.key}}", "a>b", "a b", "x\n", "é"]
)
def test_a_branch_whose_name_a_shell_would_read_is_not(branch: str) -> None:
    assert Reading("ca1", "team", "team.example", branch=branch).given(LINUX).branch == ""
