"""What a gRPC library must do that is its own proxy: the model in the form that gRPC's xDS clients take.

They are stricter than Envoy (one field that they do not know may have all of a resource refused) and can do less; what
they cannot is left out here, and docs/xds.md tells of it. Sources: gRPC's proposals A27 to A50; Istio's grpcgen.
"""
