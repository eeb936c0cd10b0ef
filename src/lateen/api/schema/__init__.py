"""The machinery under the kinds: messages, constraints, decoding with located errors, CRDs, reference documentation."""
