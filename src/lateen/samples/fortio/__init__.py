"""The part of fortio that the tasks use, under its command line: `load`, `curl` and an echo at `server`."""
