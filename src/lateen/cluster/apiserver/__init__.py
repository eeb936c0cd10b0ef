"""The Kubernetes API server: TLS, authentication, authorization, admission, REST verbs, storage, watch.

A write flows: decode -> authenticate -> authorize -> patch -> default -> mutating admission -> prepare ->
validate (schema, then kind) -> validating admission -> store. Reads and watches come from the store's memory.
"""
