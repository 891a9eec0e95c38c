"""What breaks, for real: processes, memory, disks, connections; and what is too much at once."""
