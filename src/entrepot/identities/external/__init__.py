"""People of an outside directory or provider: who may come in, what they are here, and whether they still may."""
