"""OCI formats as typed values. Pure: no I/O, no framework."""
