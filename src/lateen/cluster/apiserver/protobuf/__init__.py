"""Kubernetes' protobuf encoding of request bodies, which kubectl's typed clients send. Answers are always JSON."""
