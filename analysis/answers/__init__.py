"""The values that questions answer with: frozen, free of rows, ready to print. A module for each of analysis.queries.

Pure. Durations are seconds, shares are 0 to 1, days are dates, moments are aware UTC datetimes. A None in place of a
number says that there is no data, which is not zero.
"""
