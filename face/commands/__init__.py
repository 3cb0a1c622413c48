"""The commands, a room each.

A room has `SUMMARY`, `DESCRIPTION` and `EPILOG` for its help, `configure(parser)` for its options and
`run(arguments, terminal) -> Outcome`. At its top it imports nothing heavy, so that help is told at once.
"""
