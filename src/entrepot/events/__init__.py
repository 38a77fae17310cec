"""What happened: rows that commit with their cause, in order per repository (DESIGN D15)."""
