"""Admission by CEL expressions: ValidatingAdmissionPolicies and their bindings."""
