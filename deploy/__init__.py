"""The command line, the settings file, logging: the one part that knows all the others."""
