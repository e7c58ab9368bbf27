"""Speed against the tools that users would pick, measured in one run on one machine: `make bench`."""
