"""Messages that several API groups share (istio.type.v1beta1)."""
