"""The OpenAPI document is true: no operation answers what it does not describe, and each of them works."""

from collections import Counter

import pytest
from schemathesis.core.failures import FailureGroup
from tests.content import an_image
from tests.integration.arm.described import Operation, Walker, check, generated, operations, own_everything
from tests.integration.rows import add_principal
from tests.management import Management
from tests.registry import BEGINNING, Registry
from tests.wire import Answer

from entrepot.arm.operations.queries import OperationRow, insert_operation
from entrepot.arm.operations.record import Doing

# One worker generates the requests for both databases.
pytestmark = pytest.mark.xdist_group("openapi")


@pytest.fixture
async def walker(arm: Management, registry: Registry) -> Walker:
    await registry.repository("app").push(an_image(), "v1")
    registry.query(lambda tx: add_principal(tx, "guest", "secret", None))
    registry.query(own_everything)
    registry.query(insert_operation, an_operation(arm))
    return Walker(arm)


def an_operation(arm: Management) -> OperationRow:
    """One that goes on, to be asked for."""
    return OperationRow("walkoperation", arm.registry(), "somebody", Doing.ACCEPTED, BEGINNING, None, "{}", None)


async def passes(walker: Walker, todo: list[Operation]) -> dict[Operation, Answer]:
    """What is left when nothing more of it can be done: each may need what another makes, or takes away."""
    left: dict[Operation, Answer] = {}
    while todo:
        left = {}
        for operation in todo:
            answer = await walker.walk(operation)
            if not 200 <= answer.status < 300:
                left[operation] = answer
        if len(left) == len(todo):
            break
        todo = list(left)
    return left


async def made(walker: Walker) -> dict[Operation, Answer]:
    """Everything that can be made is there; what could not be done."""
    return await passes(walker, [each for each in operations() if each.method != "DELETE"])


def code_of(answer: Answer) -> str:
    return answer.json()["error"]["code"]


async def test_every_operation_can_succeed(walker: Walker) -> None:
    """Each has answered 2xx, but those of features to come, which say so."""
    left = await made(walker)
    left |= await passes(walker, [each for each in operations() if each.method == "DELETE"])
    assert {str(each): answer.body for each, answer in left.items() if each.is_built} == {}
    codes = {code_of(answer) for each, answer in left.items() if not each.is_built}
    assert codes <= {"FeatureNotAvailable", "ResourceNotFound", "ResourceGroupNotFound"}


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (500, "application/json", b'{"error":{"code":"InternalServerError","message":"it failed"}}'),
        (299, "application/json", b"{}"),
        (200, "text/plain", b"{}"),
        (200, "application/json", b'{"value":"no list"}'),
        (404, "application/json", b'{"message":"another form"}'),
    ],
    ids=["failed", "status", "type", "schema", "error"],
)
async def test_an_answer_that_the_document_does_not_describe_is_found(
    walker: Walker, status: int, content_type: str, body: bytes
) -> None:
    tenants = next(each for each in operations() if each.path == "/tenants")
    with pytest.raises(FailureGroup):
        check(tenants.case({}, None), Answer(status, (("content-type", content_type),), body))


@pytest.mark.timeout(300)  # to make the requests takes half a minute
async def test_no_answer_is_other_than_the_document_says(walker: Walker) -> None:
    """Half of the requests are about what is there; those who delete are not, or nothing would be."""
    await made(walker)
    await passes(walker, [each for each in operations() if each.method == "DELETE" and "/locks/" in each.path])
    statuses: Counter[int] = Counter()
    for number, (operation, case) in enumerate(generated()):
        if number % 2 and operation.method != "DELETE":
            case.path_parameters = walker.params(operation)
        statuses[(await walker.send(case)).status] += 1
    assert {operation for operation, _ in generated()} == set(operations())
    assert min(statuses[200], statuses[400]) > len(generated()) / 10  # neither all refused nor all let in
