"""The prompting baseline: a language model reads a review and says states and label, untrained."""
