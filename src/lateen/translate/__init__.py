"""What Envoy must do: pure functions from the model to Envoy v3 resources."""
