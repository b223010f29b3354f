"""One function per question a user asks; wiring; settings; the live server loop."""
