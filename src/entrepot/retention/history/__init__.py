"""What is kept of tags' histories."""
