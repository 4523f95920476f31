"""Our enhancers against those of SICE: the same data, steps and seeds, scenes that none has seen, intervals."""
