"""Files of a registry that no manifest names, such as sources and logs of task runs."""
