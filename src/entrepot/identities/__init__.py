"""The directory: who there is, and what outside identity is trusted for."""
