"""Load assignments (EDS)."""
