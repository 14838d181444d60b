#!/usr/bin/env python3
"""Prints a section of a page as a shell script.

usage: recipe.py PAGE HEADING

Blocks in sh are its commands; a block in python, whose first line is a comment with the name of a file, becomes that file.
"""
import re
import sys

page, heading = sys.argv[1:]
text = open(page, encoding="utf-8").read()
section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
if section is None:
    sys.exit(f"{page} has no section '{heading}'")
print("set -euo pipefail")
for language, code in re.findall(r"^```(sh|python)\n(.*?)^```\n", section[1], re.M | re.S):
    if language == "sh":
        print(code)
    else:
        name = re.match(r"# (\S+\.py)\n", code)[1]
        print(f"cat >{name} <<'END OF {name}'\n{code}END OF {name}")
