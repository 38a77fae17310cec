"""Webhooks: who wants to be told of what, and a ledger of every call until it was heard.

An event's row is written with its cause (``events.outbox``). The room's one workflow (``jobs``) makes a delivery of it
for each webhook that asks for it, and calls the receivers. How it behaves: docs/guide/webhooks.md.
"""
