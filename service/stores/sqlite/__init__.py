"""Sessions in one SQLite file: any number of processes on one machine share them."""
