"""How a DataFile crosses HTTP and lies in a pack: used by both ends, and no I/O."""
