"""The command line of augan."""
