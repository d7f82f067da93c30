"""How far to trust a model: the measures that take minutes, in one file beside it."""
