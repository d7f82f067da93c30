"""Interventions: what a label would be if a concept were another."""

from sparsecbm_core.intervene.oracle import OracleResult, oracle

__all__ = ["OracleResult", "oracle"]
