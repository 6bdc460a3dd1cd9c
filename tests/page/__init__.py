"""What checks the page: types of its modules, accessibility. `make page-tools` installs it."""
