"""Whole repositories: deleted at once for everybody, emptied bit by bit afterwards, restored while they are kept."""
