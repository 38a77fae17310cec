"""The servers that the bench can start, one module each."""
