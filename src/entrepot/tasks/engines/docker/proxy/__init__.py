"""The socket that a run gets instead of the engine's: what is not permitted here by route and by field is refused."""
