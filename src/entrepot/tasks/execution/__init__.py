"""The steps of a run: in the machine that an engine gives, in ACR's order, with ACR's log (ACR-TASKS 2)."""
