"""Deployments: rollouts from one ReplicaSet to the next.

Source: k8s.io/kubernetes `pkg/controller/deployment`.
"""
