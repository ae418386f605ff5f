"""What corpora are built of: each module reads one public source into a `Graph`."""
