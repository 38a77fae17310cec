"""The workflows that the shared worker knows; what they do is up to each test."""

from entrepot.jobs.model import Queue, Rate, Workflow

WORK = Workflow("test.work", Queue("test", at_once=8))
OTHER_WORK = Workflow("test.other", Queue("test", at_once=8))
LIMITED = Workflow("test.limited", Queue("test-limited", at_once=8, rate=Rate(2, 1.5)))
