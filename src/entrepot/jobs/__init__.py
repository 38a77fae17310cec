"""Background work that survives crashes: declared as workflows, woken by what causes it, run by workers.

A feature declares a ``Workflow`` (``model``) and writes its body as a function of a ``Run`` (``run``) and ids. A change
wakes it in its own transaction (``Jobs.wake``). A worker process is handed the bodies and runs them (``run_worker``).
Why it is built so: docs/decisions/0003-jobs-on-dbos.md.
"""
