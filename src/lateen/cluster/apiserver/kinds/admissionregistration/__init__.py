"""The admissionregistration group."""
