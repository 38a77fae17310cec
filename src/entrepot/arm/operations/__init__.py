"""Long operations: work that goes on after the answer, and what its clients poll."""
