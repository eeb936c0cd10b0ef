"""A package, so that the scene is made once for all of these tests and goes with the last of them."""
