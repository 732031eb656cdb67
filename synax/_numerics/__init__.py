"""Numerical tools that know no physics: elementary functions, look-ups, linear calls, devices."""
