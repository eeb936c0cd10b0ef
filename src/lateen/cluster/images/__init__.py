"""Images without a container engine: a catalog maps references to local programs; some of the programs are here."""
