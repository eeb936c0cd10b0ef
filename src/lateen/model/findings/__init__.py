"""What is wrong with resources that are valid by themselves, as queries over the whole mesh: one module per kind."""
