"""The garbage collector: objects go when all their owners are gone.

Source: k8s.io/kubernetes `pkg/controller/garbagecollector`.
"""
