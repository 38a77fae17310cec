"""Upload sessions as rows, so that any worker goes on with them (DESIGN D6)."""
