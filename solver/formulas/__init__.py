"""The formula behind any number: names, the numbers put in, their units, sources and confidence."""

from solver.formulas.asking import bare as bare
from solver.formulas.records import NUMBERS as NUMBERS
from solver.formulas.records import Formula as Formula
from solver.formulas.showing import listed as listed
from solver.formulas.showing import needs_design as needs_design
from solver.formulas.showing import number as number
from solver.formulas.showing import render as render
from solver.formulas.showing import show as show
