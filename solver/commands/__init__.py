"""The commands of ``tierwatt``, a file for each group; `solver.cli` puts them together."""
