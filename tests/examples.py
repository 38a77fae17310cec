"""How many examples Hypothesis tries: few by default, more by ``EXAMPLES_TIMES=100 scripts/test unit -k examples``."""

import os

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("EXAMPLES_TIMES", "1"))


def examples(count: int) -> settings:
    """So many examples, each as long as it takes: several test workers share the machine."""
    return settings(max_examples=count * TIMES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
