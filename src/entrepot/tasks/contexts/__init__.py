"""The files of a run, brought to a worker: uploads, archives, git repositories, artifacts (ACR-TASKS 4.6).

Whoever starts a run names the source, and whoever holds the source says what comes: both may be hostile. So what comes
is bounded, is written below one folder alone, and every call goes out through ``entrepot.outbound``.
"""
