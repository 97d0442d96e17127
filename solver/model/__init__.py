"""The mixed-integer model: one file a physical subject, wired together in `build.PARTS`."""
