"""Tasks: builds, tests and patches of images inside the registry, as ACR Tasks does them (ACR-TASKS)."""
