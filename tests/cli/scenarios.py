# SPDX-License-Identifier: Apache-2.0
"""What no single command can show. Each function takes the stage of run.py and raises when a promise is broken."""
ALL = {}


class Skip(Exception):
    pass
