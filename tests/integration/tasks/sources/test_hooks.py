"""Deliveries of git servers to a task's own address: one run for each change, and a reason for what begins none."""

import asyncio
from datetime import timedelta

import msgspec
from sqlalchemy import delete, func, select, update
from tests import githooks
from tests.githooks import NONE, azure_devops, commit, files, gitea, github, gitlab, push
from tests.integration.conftest import Until
from tests.integration.rows import add_principal, audit_entries
from tests.integration.tasks.rows import lose_step
from tests.integration.tasks.sources.conftest import URL, MakeTask, Task
from tests.management import management
from tests.registry import Registry

from entrepot.access.sealing import Sealer
from entrepot.app.secret_key import open_sealer
from entrepot.db.task_tables import task_evaluation, task_run, task_source
from entrepot.tasks.runs.model import Plan, Secrets
from entrepot.tasks.runs.schedule import purpose_of
from entrepot.tasks.sources.routes import BODY_LIMIT
from entrepot.tasks.triggers.queries import delete_evaluations

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"


def planned(registry: Registry, name: str = "ca1") -> tuple[Plan, Secrets]:
    row = registry.query(lambda tx: tx.execute(select(task_run).where(task_run.c.name == name)).one())
    sealer: Sealer = open_sealer(registry.settings)
    opened = sealer.open(row.secrets, purpose_of(row.registry_id, name))
    return msgspec.json.decode(row.request, type=Plan), msgspec.json.decode(opened, type=Secrets)


def evaluations(registry: Registry) -> int:
    return registry.query(lambda tx: tx.execute(select(func.count()).select_from(task_evaluation)).scalar_one())


# --- address and secret -----------------------------------------------------------------------------------------------


async def test_the_secret_is_shown_to_who_may_and_kept_sealed(task: Task, registry: Registry) -> None:
    path, secret = await task.hook()
    assert secret.startswith("whsec_")
    assert secret not in str(registry.query(lambda tx: tx.execute(select(task_source)).all()))
    registry.query(lambda tx: add_principal(tx, "guest", "the-guest's-secret", role=READER))
    guest = await management(registry, "guest")
    assert (await guest.post(f"{task.path}/listSourceHooks")).status == 403
    told = await guest.post(f"{task.path}/explainTriggers")
    assert told.status == 200
    assert secret not in told.body.decode()
    assert path.rpartition("/")[2] not in told.body.decode()
    assert secret not in str(registry.query(audit_entries))


async def test_a_change_of_the_task_keeps_the_hook_and_a_new_trigger_gets_another(task: Task) -> None:
    before = await task.hook()
    await task.put("commit", "pullrequest", timeout=600)
    assert await task.hook() == before
    await task.arm.patch(task.path, {"properties": {"status": "Disabled"}})
    assert await task.hook() == before
    await task.put(trigger={"name": "other"})
    assert (await task.hook())[0] != before[0]


async def test_a_secret_can_be_made_anew(task: Task) -> None:
    path, secret = await task.hook()
    made = await task.arm.post(f"{task.path}/regenerateSourceHook", {"trigger": "source"})
    assert (made.status, made.json()["url"].endswith(path)) == (200, True)
    assert (await task.send(github(secret, push(commit(1))))).status == 404
    assert (await task.received(github, push(commit(1))))["runId"] == "ca1"
    unknown = await task.arm.post(f"{task.path}/regenerateSourceHook", {"trigger": "nothing"})
    assert unknown.status == 404


# --- what a change begins ---------------------------------------------------------------------------------------------


async def test_a_push_begins_a_run_of_its_commit(task: Task, registry: Registry) -> None:
    verdict = await task.received(github, push(commit(1)))
    assert verdict["runId"] == "ca1"
    (run,) = await task.runs()
    assert run["runType"] == "AutoRun"
    assert run["task"] == "built"
    assert run["sourceTrigger"] == {
        "id": "72d3162e",
        "eventType": "commit",
        "commitId": commit(1),
        "repositoryUrl": URL,
        "branchName": "main",
        "providerType": "VisualStudioTeamService",
    }
    plan, secrets = planned(registry)
    assert plan.context == f"{URL}#{commit(1)}:src"
    assert secrets.token == "the-git-token"
    assert plan.triggered_by == "commit"
    told = await task.why()
    assert [(each["kind"], each["trigger"], each["runId"]) for each in told["evaluations"]] == [
        ("source", "source", "ca1")
    ]
    assert told["sources"][0]["lastDelivery"]


async def test_a_pull_request_begins_a_run_where_the_trigger_is_for_those(task: Task) -> None:
    opened = githooks.pull_request("opened", commit(1))
    assert "not for those" in (await task.received(github, opened, "pull_request"))["reason"]
    await task.put("commit", "pullrequest")
    assert (await task.received(github, opened, "pull_request"))["runId"] == "ca1"
    labeled = githooks.pull_request("labeled", commit(1))
    assert "changes no code" in (await task.received(github, labeled, "pull_request"))["reason"]
    (run,) = await task.runs()
    assert (run["sourceTrigger"]["eventType"], run["sourceTrigger"]["pullRequestId"]) == ("pullrequest", "5")


async def test_each_server_begins_a_run(task: Task) -> None:
    deliveries = (
        (githooks.gitea, push(commit(1), total_commits=1)),
        (githooks.gogs, push(commit(2))),
        (githooks.gitlab, githooks.gitlab_push(commit(3))),
        (githooks.gitlab_signed, githooks.gitlab_push(commit(4))),
        (githooks.azure_devops, githooks.azure_push(("refs/heads/main", commit(5)))),
    )
    for number, (sign, payload) in enumerate(deliveries, 1):
        assert (await task.received(sign, payload))["runId"] == f"ca{number}"
        assert (await task.runs())[0]["sourceTrigger"]["commitId"] == commit(number)


async def test_what_begins_no_run_is_told_once(task: Task) -> None:
    other = {"full_name": "team/other", "default_branch": "main"}
    whys = (
        (push(commit(1), "refs/heads/other"), "for the branch 'other'"),
        (push(NONE), "it was deleted"),
        (push(commit(1), "refs/tags/v1"), "it is a tag"),
        (push(commit(1), repository=other), "another repository"),
        (push(commit(1), "refs/heads/$(touch${IFS}x);{{.Run.ID}}"), "for the branch '$(touch"),
    )
    for payload, why in (*whys, *whys):
        assert why in (await task.received(github, payload))["reason"]
    assert await task.runs() == []
    told = [each["reason"] for each in (await task.why())["evaluations"]]
    assert len(told) == len(whys)
    assert all(why in reason for (_, why), reason in zip(whys, reversed(told), strict=True))


async def test_a_forced_push_begins_a_run_of_what_the_branch_has_now(task: Task) -> None:
    await task.received(github, push(commit(1)))
    assert (await task.received(github, push(commit(2), forced=True, before=commit(1))))["runId"] == "ca2"


async def test_a_task_that_is_disabled_begins_none_and_says_so(task: Task) -> None:
    await task.arm.patch(task.path, {"properties": {"status": "Disabled"}})
    assert "disabled" in (await task.received(github, push(commit(1))))["reason"]
    assert await task.runs() == []


async def test_only_files_that_the_task_is_about_begin_runs(make_task: MakeTask) -> None:
    task = await make_task(tags={"entrepot.paths": "src, Dockerfile"})
    other = push(commit(1), commits=[files("docs/a.md")])
    assert "None of the 1 files" in (await task.received(github, other))["reason"]
    assert (await task.received(github, push(commit(2), commits=[files("docs/a.md"), files("src/a.c")])))[
        "runId"
    ] == "ca1"
    # Azure DevOps does not tell: the task runs.
    untold = githooks.azure_push(("refs/heads/main", commit(3)))
    assert "was not told" in (await task.received(azure_devops, untold))["reason"]
    assert len(await task.runs()) == 2


async def test_a_task_of_another_context_runs_as_it_is(make_task: MakeTask, registry: Registry) -> None:
    step = {"type": "Docker", "dockerFilePath": "Dockerfile", "contextPath": "https://git.example/other.git#main"}
    task = await make_task(step=step)
    await task.received(github, push(commit(1)))
    plan, secrets = planned(registry)
    assert (plan.context, secrets.token) == ("https://git.example/other.git#main", "")


async def test_credentials_in_the_context_stay_with_it(make_task: MakeTask, registry: Registry) -> None:
    step = {"type": "Docker", "dockerFilePath": "f", "contextPath": "https://me:secret-word@git.example/team/app.git"}
    task = await make_task(step=step)
    await task.received(github, push(commit(1)))
    plan, secrets = planned(registry)
    assert plan.context == f"https://git.example/team/app.git#{commit(1)}"
    assert secrets.context == f"https://me:secret-word@git.example/team/app.git#{commit(1)}"


async def test_a_task_that_cannot_run_tells_why(task: Task, registry: Registry) -> None:
    registry.query(lose_step)
    reason = (await task.received(github, push(commit(1))))["reason"]
    assert "cannot be run" in reason
    assert "has no step" in reason


# --- once -------------------------------------------------------------------------------------------------------------


async def test_a_delivery_that_comes_again_begins_nothing(task: Task, registry: Registry) -> None:
    first = await task.received(github, push(commit(1)))
    again = await task.received(github, push(commit(1)), "push", "another-id")
    assert (first["runId"], "runId" in again) == ("ca1", False)
    assert "one commit begins one run" in again["reason"]
    assert (len(await task.runs()), evaluations(registry)) == (1, 1)


async def test_a_delivery_that_comes_again_after_years_begins_nothing(task: Task, registry: Registry) -> None:
    await task.received(github, push(commit(1)))
    await task.received(github, push(commit(2), "refs/heads/other"))
    later = registry.clock() + timedelta(days=5000)
    assert registry.query(delete_evaluations, later, 100) == 1
    registry.query(lambda tx: tx.execute(delete(task_run)))
    assert "one commit begins one run" in (await task.received(github, push(commit(1))))["reason"]


async def test_fifty_deliveries_at_once_are_a_run_for_each_commit(task: Task, registry: Registry) -> None:
    path, secret = await task.hook()
    deliveries = [github(secret, push(commit(number % 5))) for number in range(50)]
    answers = await asyncio.gather(*(task.send(each, path) for each in deliveries))
    assert {answer.status for answer in answers} == {200}
    begun = [verdict["runId"] for answer in answers for verdict in answer.json()["value"] if "runId" in verdict]
    assert sorted(begun) == ["ca1", "ca2", "ca3", "ca4", "ca5"]
    commits = [run["sourceTrigger"]["commitId"] for run in await task.runs()]
    assert sorted(commits) == sorted(commit(number) for number in range(5))
    assert evaluations(registry) == 5


async def test_a_storm_takes_the_place_of_what_waits_where_the_task_says_so(
    make_task: MakeTask, registry: Registry
) -> None:
    task = await make_task(tags={"entrepot.coalesce": "true"})
    for number in range(1, 5):
        assert (await task.received(github, push(commit(number))))["runId"] == "ca1"
    (run,) = await task.runs()
    assert run["sourceTrigger"]["commitId"] == commit(4)
    assert planned(registry)[0].context.endswith(f"#{commit(4)}:src")
    newest, *older = (await task.why())["evaluations"]
    assert (newest["runId"], newest["key"]) == ("ca1", f"refs/heads/main@{commit(4)}")
    assert len(older) == 3
    for each in older:
        assert "runId" not in each
        assert "whose place went to what came later" in each["reason"]
    # One that a worker has taken keeps what it does.
    registry.query(lambda tx: tx.execute(update(task_run).values(status="Running")))
    assert (await task.received(github, push(commit(5))))["runId"] == "ca2"


async def test_pull_requests_do_not_take_each_others_places(make_task: MakeTask) -> None:
    task = await make_task(tags={"entrepot.coalesce": "true"})
    await task.put("commit", "pullrequest", tags={"entrepot.coalesce": "true"})
    for number in (5, 55):
        await task.received(github, githooks.pull_request("opened", commit(number), number), "pull_request")
    await task.received(github, push(commit(1)))
    assert len(await task.runs()) == 3


# --- forged and hostile -----------------------------------------------------------------------------------------------


async def test_what_is_not_signed_leaves_no_row_and_is_written_down(
    task: Task, registry: Registry, until: Until
) -> None:
    for sign in (github, gitea, gitlab, githooks.gitlab_signed, azure_devops):
        for _ in range(2):
            assert (await task.send(sign("whsec_Zm9yZ2VkIGJ5IHNvbWVib2R5", push(commit(1))))).status == 404
    assert evaluations(registry) == 0
    assert await task.runs() == []
    assert "lastDelivery" not in (await task.why())["sources"][0]

    async def written() -> bool:
        return [each["result"] for each in registry.query(audit_entries, "token.refuse")] == ["failure"]

    await until(written)


async def test_a_secret_of_one_task_opens_no_other(make_task: MakeTask) -> None:
    first, second = await make_task(), await make_task(name="other")
    _, secret = await first.hook()
    assert (await second.send(github(secret, push(commit(1))))).status == 404


async def test_an_address_that_is_none_answers_alike(task: Task) -> None:
    _, secret = await task.hook()
    forged = await task.send(github("whsec_Zm9yZ2Vk", push(commit(1))))
    for path in ("/hooks/" + "0" * 32, "/hooks/x", "/hooks/%00", "/hooks/" + "a" * 5000):
        answer = await task.send(github(secret, push(commit(1))), path)
        assert (answer.status, answer.code) == (forged.status, forged.code)


async def test_a_body_that_is_too_large_is_not_read(task: Task) -> None:
    path, secret = await task.hook()
    headers, body = github(secret, push(commit(1), more="x" * BODY_LIMIT))
    assert (await task.send((headers, body), path)).status == 413


async def test_a_signed_body_that_means_nothing_is_refused(task: Task, registry: Registry) -> None:
    _, secret = await task.hook()
    long, null = push(commit(1), "refs/heads/" + "a" * 5000), push(commit(1), "x\0")
    for payload in ({}, push("--upload-pack=touch"), long, null):
        assert (await task.send(github(secret, payload))).status == 400
    assert evaluations(registry) == 0


async def test_a_ping_is_answered(task: Task) -> None:
    assert "events of this kind" in (await task.received(github, {"zen": "."}, "ping"))["reason"]
    assert (await task.why())["sources"][0]["lastDelivery"]
    assert (await task.registry.nobody.get((await task.hook())[0])).status == 405


async def test_the_hooks_of_a_task_go_with_it(task: Task) -> None:
    path, secret = await task.hook()
    await task.arm.delete(task.path)
    assert (await task.send(github(secret, push(commit(1))), path)).status == 404


async def test_a_branch_that_is_none_is_refused_when_the_task_is_written(task: Task) -> None:
    for branch in ("a b", "*", "x" * 300, "a\0", "--x", "a:b"):
        sources = [{"name": "source", "sourceRepository": {"branch": branch}}]
        refused = await task.arm.patch(task.path, {"properties": {"trigger": {"sourceTriggers": sources}}})
        assert (refused.status, "branch" in refused.json()["error"]["target"]) == (400, True)


async def test_a_trigger_s_name_has_no_nul(task: Task) -> None:
    sources = [{"name": "a\0", "sourceTriggerEvents": ["commit"], "sourceRepository": {"sourceControlType": "Github"}}]
    refused = await task.arm.patch(task.path, {"properties": {"trigger": {"sourceTriggers": sources}}})
    assert refused.status == 400
