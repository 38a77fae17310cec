"""The task language: from the text of a task file to steps that are checked and ordered. Pure: no catalog, no engine.

Text comes first, as in ACR's engine: comment lines are dropped, aliases are replaced, the template is rendered, and
only then is what is left read as YAML (ACR-TASKS 0.1).
"""
