"""Microsoft.Authorization: role definitions and role assignments, extensions of what roles can be given on."""
