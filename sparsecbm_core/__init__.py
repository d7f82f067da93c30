"""SparseCBM: concept bottleneck models whose encoder is one sparse subnetwork per concept."""
