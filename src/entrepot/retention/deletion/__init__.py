"""Deletion as work: a repository's content after the repository, what was kept long enough, what lost its last tag."""
