"""Deployments of templates to a group, which are not there: a template is a language of its own."""

from typing import Final

from entrepot.arm.absent import Absent, absent_type
from entrepot.arm.resources.groups import GROUPS
from entrepot.arm.resources.subscriptions import SUBSCRIPTIONS
from entrepot.arm.versions import RESOURCES

TEMPLATES: Final = Absent(
    name="Microsoft.Resources/deployments",
    collection=f"{GROUPS.paths[0]}/providers/Microsoft.Resources/deployments",
    parents=(SUBSCRIPTIONS, GROUPS),
    versions=RESOURCES,
    feature="Deployments of templates are",
    instead="make what the template names: az acr create, Terraform or an SDK",
    methods=("PUT", "DELETE"),
    acts=("cancel", "exportTemplate", "validate", "whatIf"),
)
DEPLOYMENTS: Final = absent_type(TEMPLATES)
