"""What a user may say: typed, immutable, validated values for every kind the mesh reads."""
