"""The cases of specs/vectors, one module a family; tools/make_vectors.py writes them."""
