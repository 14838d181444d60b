"""The examples of docs/python.md, run in their order. Prints TAP."""
import os
import re

from models import check, pathlib, run
from tap import ROOT

page = pathlib.Path(ROOT, "docs", "python.md").read_text(encoding="utf-8")
for kind, text in re.findall(r"^```(python|sh)\n(.*?)^```", page, re.S | re.M):
    if kind == "python":
        name = re.match(r"# (\w+\.py)\n", text)[1]
        pathlib.Path(name).write_text(text, encoding="utf-8")
        continue
    status, out, said = run("bash", "-e", "-o", "pipefail", "-c", text)
    check(f"the page's command works: {text.splitlines()[-1].split(' | ')[0]}", status == 0, f"{out.decode()[-500:]} {said[-1500:]}")
check("the page's examples left their files", os.path.exists("transfer.pst"))
