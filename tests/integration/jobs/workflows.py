"""The workflows that the shared worker knows; what they do is up to each test."""

from tests.integration.jobs.effects import is_asked

from entrepot.jobs.model import Every, Queue, Rate, Workflow

WORK = Workflow("test.work", Queue("test", at_once=8))
OTHER_WORK = Workflow("test.other", Queue("test", at_once=8))
TICKING = Workflow("test.ticking", Queue("test-ticking", at_once=1), Every(1, is_asked))
LIMITED = Workflow("test.limited", Queue("test-limited", at_once=8, rate=Rate(2, 1.5)))
