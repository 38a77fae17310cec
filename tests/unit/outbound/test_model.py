import pickle

import pytest

from entrepot.outbound.model import TEXTS, OutboundError, Reason


def test_every_reason_has_a_text() -> None:
    assert set(TEXTS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_an_error_names_the_host_and_survives_a_process_boundary(reason: Reason) -> None:
    error = pickle.loads(pickle.dumps(OutboundError(reason, "idp.example.com")))  # noqa: S301  our own bytes
    assert (error.reason, error.host) == (reason, "idp.example.com")
    assert str(error).startswith("idp.example.com: ")
