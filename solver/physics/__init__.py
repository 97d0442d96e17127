"""Physics as pure functions of arrays: what parts and models do, never which part or model it is."""
