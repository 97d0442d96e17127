"""Fitting of the calibration table to published measurements, behind `python -m solver.calibrate`."""
