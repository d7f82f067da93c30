"""Measures: what a model gets right, how sure it is of it, and how far its explanations can be trusted."""

from sparsecbm_core.verbs import callable_as

callable_as(__name__, "report", "evaluate_model")
