"""Helm values as users write them: one typed model, in which every key that is honoured is declared once."""
