"""The TLS side of the control plane: a stock Envoy in front of it.

grpcio asks all clients for a certificate or none. A control plane has callers with a certificate (proxies, renewals)
and callers who are about to get their first one. So TLS is ended by an Envoy that asks for one, takes what verifies,
and says by a header who called. It reaches us by unix sockets that nobody else can open.
"""
