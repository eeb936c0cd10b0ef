"""Which addresses a Service has: EndpointSlices, and Endpoints for those who still read them."""
