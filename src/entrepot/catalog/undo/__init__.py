"""What was deleted and is kept: told, restored, and deleted for good once its time is over."""
