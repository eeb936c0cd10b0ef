"""Admission: what changes and judges a write between its authorization and the store.

`chain.Admission` is the way in.
"""
