"""Tasks, their runs as resources of templates, and agent pools, in Resource Manager's shape."""
