"""Interventions: a concept set by hand for once (`oracle`), or corrected inside the model (`correct`)."""
