#!/usr/bin/env python3
"""Prints a section of a page as a shell script.

usage: recipe.py PAGE HEADING [FOLDER]

Blocks in sh are its commands; a block in python, whose first line is a comment with the name of a file, becomes that file. A block in text
is the output of the commands before it: with FOLDER it is written to FOLDER/N.shown, or to FOLDER/N.near if "near" follows
"text", and the script writes the real output to FOLDER/N.happened.
"""
import pathlib
import re
import sys

page, heading, *folder = sys.argv[1:]
text = open(page, encoding="utf-8").read()
section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
if section is None:
    sys.exit(f"{page} has no section '{heading}'")
print("set -euo pipefail")
blocks = re.findall(r"^```(sh|python|text)( near)?\n(.*?)^```\n", section[1], re.M | re.S)
for number, (language, near, code) in enumerate(blocks):
    if language == "python":
        name = re.match(r"# (\S+\.py)\n", code)[1]
        print(f"cat >{name} <<'END OF {name}'\n{code}END OF {name}")
    elif language == "sh" and folder:
        print(f"{{\n{code}}} >{folder[0]}/{number}.happened 2>&1")
    elif language == "sh":
        print(code)
    elif folder:
        kind = "near" if near else "shown"
        pathlib.Path(folder[0], f"{number - 1}.{kind}").write_text(code, encoding="utf-8")
