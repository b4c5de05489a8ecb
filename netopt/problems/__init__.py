"""The questions netopt answers: is a property violated, and how large can an output be."""
