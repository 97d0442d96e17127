"""The pages of the app: they draw what `solver.whatif` decides, and nothing else."""
