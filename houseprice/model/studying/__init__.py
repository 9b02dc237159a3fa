"""What is worth knowing of a model beyond its figures, worked out once, when it is trained."""
