"""Other performance models that can stand in for single points, behind one small protocol."""
