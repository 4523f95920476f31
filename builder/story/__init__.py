"""One page that tells a run from brackets to enhanced pictures; every figure on it is read from the run's files."""
