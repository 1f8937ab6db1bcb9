"""The engine's own tests: fakes for what is pure, real containers under the mark ``docker``."""

import signal

pytest_plugins = ["pytester"]

# A background job of a shell, or nohup, starts with these ignored, and so would every program that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
