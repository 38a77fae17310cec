"""Side-by-side measurements of Entrepot and other registries, on one machine in one run (DESIGN section 5)."""
