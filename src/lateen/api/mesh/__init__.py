"""The mesh-wide configuration: MeshConfig, MeshNetworks and the defaults of proxies."""
