# SPDX-License-Identifier: GPL-2.0-or-later
"""The matrix of interop.t: rows.py is the table, cell.py sets up one of its cells, scenes.py has what
happens to a tunnel once it stands."""
