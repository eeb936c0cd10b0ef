"""The small process that supervises one pod: it holds the pod's namespaces and is the parent of its containers.

It outlives the node process and is found again by its socket. Everything here imports the standard library only (and
as little of it as it can), because one such process runs per pod.
"""
