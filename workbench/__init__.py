"""The app shell and the command line around `core`."""
