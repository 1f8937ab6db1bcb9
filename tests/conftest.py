"""The engine's own tests: fakes for what is pure, real containers under the mark ``docker``."""

pytest_plugins = ["pytester"]
