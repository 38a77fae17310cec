"""az's old ``az acr helm`` commands: each prints what the registry says about them."""

import pytest
from tests.e2e.az.cli import Az

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize(
    "words",
    [("list",), ("show", "app"), ("push", "app-1.tgz"), ("push", "app-1.tgz", "--force"), ("delete", "app", "--yes")],
    ids=" ".join,
)
def test_a_command_for_charts_of_helm_2_says_where_charts_go(az: Az, words: tuple[str, ...]) -> None:
    (az.shell.folder / "app-1.tgz").write_bytes(b"a chart")
    refused = az.refused("acr", "helm", *words, "--name", "local")
    assert "helm push chart.tgz oci://" in refused
    assert "Helm 2" in refused
