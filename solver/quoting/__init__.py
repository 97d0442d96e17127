"""Reading what vendors write: sheets, their headings and cells; and writing a folder that lies over a catalog."""
