"""Tokens as the vendors document them: each vendor's issuer path, header, and claims with the documented names.

Issuer, times and ``aud`` are for the test to fill in. Sources: GitHub "OpenID Connect reference"; GitLab "OpenID
Connect (OIDC) authentication using ID tokens"; Azure DevOps "Workload identity federation"; Jenkins plugin
"oidc-provider"; Kubernetes "ServiceAccount token volume projection"; SPIFFE "JWT-SVID".
"""

from dataclasses import dataclass, field
from typing import Any

AUDIENCE = "api://AzureADTokenExchange"


@dataclass(frozen=True)
class Vendor:
    """What a vendor's token looks like, and a pattern that fits it."""

    name: str
    path: str  # of the issuer
    algorithm: str
    claims: dict[str, Any]
    pattern: str
    header: dict[str, Any] = field(default_factory=dict)  # None leaves a member out
    audience: Any = AUDIENCE

    def __str__(self) -> str:
        return self.name


GITHUB = Vendor(
    "GitHub Actions",
    "",
    "RS256",
    {
        "jti": "example-id",
        "sub": "repo:octo-org/octo-repo:environment:prod",
        "environment": "prod",
        "ref": "refs/heads/main",
        "sha": "0" * 40,
        "repository": "octo-org/octo-repo",
        "repository_owner": "octo-org",
        "actor_id": "12",
        "repository_visibility": "private",
        "repository_id": "74",
        "repository_owner_id": "65",
        "run_id": "example-run-id",
        "run_number": "10",
        "run_attempt": "2",
        "runner_environment": "github-hosted",
        "actor": "octocat",
        "workflow": "example-workflow",
        "head_ref": "",
        "base_ref": "",
        "event_name": "workflow_dispatch",
        "ref_type": "branch",
        "job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main",
    },
    "repo:octo-org/*:environment:prod",
    {"x5t": "example-thumbprint"},
)
GITLAB = Vendor(
    "GitLab CI",
    "",
    "RS256",
    {
        "namespace_id": "72",
        "namespace_path": "my-group",
        "project_id": "20",
        "project_path": "my-group/my-project",
        "user_id": "1",
        "user_login": "sample-user",
        "user_email": "sample-user@example.com",
        "user_identities": [{"provider": "github", "extern_uid": "2435223452345"}],
        "pipeline_id": "574",
        "pipeline_source": "push",
        "job_id": "302",
        "ref": "feature-branch-1",
        "ref_type": "branch",
        "ref_path": "refs/heads/feature-branch-1",
        "ref_protected": "false",
        "groups_direct": ["mygroup/mysubgroup", "myothergroup/myothersubgroup"],
        "environment": "test-environment2",
        "environment_protected": "false",
        "deployment_tier": "testing",
        "runner_id": 1,
        "runner_environment": "self-hosted",
        "sha": "0" * 40,
        "project_visibility": "public",
        "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b",
        "sub": "project_path:my-group/my-project:ref_type:branch:ref:feature-branch-1",
    },
    "project_path:my-group/*:ref_type:branch:ref:*",
)
AZURE_PIPELINES = Vendor(
    "Azure Pipelines",
    "/2c5f0e5e-1f6b-4b8b-9f0a-3f1c0a9f2a11",
    "RS256",
    {"jti": "a", "sub": "sc://my-org/my-project/my-connection"},
    "sc://my-org/my-project/*",
    {"x5t": "example-thumbprint"},
)
# The pipeline's own token: asked for without a service connection.
AZURE_PIPELINE = Vendor(
    "Azure Pipelines, without a service connection",
    "/2c5f0e5e-1f6b-4b8b-9f0a-3f1c0a9f2a11",
    "RS256",
    {
        "jti": "a",
        "sub": "p://my-org/my-project/my-pipeline",
        "org_id": "2c5f0e5e-1f6b-4b8b-9f0a-3f1c0a9f2a11",
        "prj_id": "5e0bd49b-f040-43b0-99b7-22765a53f7f3",
        "def_id": "7",
        "rpo_id": "14ee3fa4-a7e2-420f-9f9a-dbc4507c3798",
        "rpo_uri": "https://dev.azure.com/my-org/my-project/_git/my-project",
        "rpo_ver": "0" * 40,
        "rpo_ref": "refs/heads/main",
        "run_id": "12",
    },
    "p://my-org/my-project/*",
    {"x5t": "example-thumbprint"},
)
JENKINS = Vendor(
    "Jenkins",
    "/oidc",
    "RS256",
    {"sub": "https://jenkins.example/job/team/job/image/", "build_number": 17},
    "https://jenkins.example/job/team/job/*/",
)
KUBERNETES = Vendor(
    "Kubernetes",
    "/id/2f8a1c/",  # with a path, and a slash at its end
    "RS256",
    {
        "jti": "7f2b9d4c-6f0e-4f9e-9a54-0c6d0a1f7e3b",
        "kubernetes.io": {
            "namespace": "team",
            "node": {"name": "node-1", "uid": "646e7c5e-32d6-4d42-9dbd-e504e6cbe6b1"},
            "pod": {"name": "builder-7d4b", "uid": "5e0bd49b-f040-43b0-99b7-22765a53f7f3"},
            "serviceaccount": {"name": "builder", "uid": "14ee3fa4-a7e2-420f-9f9a-dbc4507c3798"},
        },
        "sub": "system:serviceaccount:team:builder",
    },
    "system:serviceaccount:team:*",
    {"typ": None},
    [AUDIENCE],
)
SPIFFE = Vendor(
    "SPIFFE",
    "",
    "ES256",
    {"sub": "spiffe://example.org/ns/team/sa/builder", "nbf": None},
    "spiffe://example.org/ns/team/sa/*",
    audience=["another", AUDIENCE],
)
VENDORS = (GITHUB, GITLAB, AZURE_PIPELINES, AZURE_PIPELINE, JENKINS, KUBERNETES, SPIFFE)
