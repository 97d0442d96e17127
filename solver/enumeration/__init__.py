"""Candidates of one class: evaluate the menu role by role, check promises, prune, make records."""
