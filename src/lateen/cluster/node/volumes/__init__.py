"""The volumes of a pod: what they contain, where they are, how they follow their sources."""
