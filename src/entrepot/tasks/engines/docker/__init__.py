"""The docker engine: runs share one dockerd, each behind a socket that permits what a run may."""
