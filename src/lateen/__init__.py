"""Lateen: a service mesh that speaks Istio's APIs, on stock Envoy."""

__version__ = "0.1.0"
