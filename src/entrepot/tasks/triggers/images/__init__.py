"""Base images: what tasks' builds stand on, when that changes, and the runs that a change begins (ACR-TASKS 7.2)."""
