"""What `stseg doctor` looks at: one check per module, each run in a process of its own."""
