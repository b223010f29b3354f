"""HTTP, HTML, terminal: they speak to people and know only app."""
