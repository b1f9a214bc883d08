"""HTTP to addresses that strangers name (guarded), and to a pagemill server that the operator names (not)."""
