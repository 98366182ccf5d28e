# Builds a function in the scratch copy that `sam build` makes of its folder: the handler and nothing else, for the
# code is in the layer. Every function's Makefile is a link to this file.
#
#   RUNTIME_PYTHON   a Python of the runtime's version, which compiles (default python3.13; without one nothing is)

RUNTIME ?= 3.13
RUNTIME_PYTHON ?= python$(RUNTIME)

build-%Function:
	cp app.py "$(ARTIFACTS_DIR)/"
	@if [ "$$("$(RUNTIME_PYTHON)" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$(RUNTIME)" ]; then \
		"$(RUNTIME_PYTHON)" -m compileall -q --invalidation-mode unchecked-hash -s "$(ARTIFACTS_DIR)" -p /var/task "$(ARTIFACTS_DIR)"; \
	else echo "no Python $(RUNTIME) here: $* built without .pyc"; fi
