"""Charts of designs and explanations; they need the extra `report`."""
