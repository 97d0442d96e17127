"""The subjects of the audit: one module each, none of which knows how a design was found."""
