"""What `collect` and `report` of several experiments have in common: the files with results, and parts of their pages."""
import datetime
import json
import os
import pathlib
import re
import statistics
import string
import subprocess


def read_json(path):
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def read_table(text):
    """The objects of reproduction.mk's table, one behind another."""
    decoder, at, found = json.JSONDecoder(), 0, []
    text = text.strip()
    while at < len(text):
        entry, at = decoder.raw_decode(text, at)
        at += len(text[at:]) - len(text[at:].lstrip())
        found.append(entry)
    return found


def seeds_of(figures):
    """[(seed, the report)] in the order of the seeds; in the reports' name, without .json, % stands for the seed."""
    pattern = re.compile(re.escape(figures).replace("%", "([0-9]+)") + r"\.json")
    found = [(int(match[1]), path) for path in pathlib.Path().glob("*.json") if (match := pattern.fullmatch(path.name))]
    return [(seed, read_json(path)) for seed, path in sorted(found)]


def has_bf16():
    """Whether oneDNN multiplies in bf16 here: if it does, the error is about the missing model."""
    told = subprocess.run(["teacher-forward", "--kernels", "onednn", "--precision", "bf16", "/dev/null/none"], text=True,
                          stderr=subprocess.PIPE, check=False).stderr
    return "cannot be opened" in told


def machine():
    version = subprocess.run(["teacher-forward", "--version"], env={**os.environ, "OPENBLAS_VERBOSE": "2"}, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True).stdout
    cpu = re.search(r"^model name[^:]*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M)
    core = re.search(r"^Core: (.*)$", version, re.M)
    return {"version": re.search(r"^\S+ (\d\S*)$", version, re.M)[1], "cpu": cpu[1] if cpu else "unknown",
            "cores": os.cpu_count(), "openblas_core": core[1] if core else "unknown", "bf16": has_bf16()}


def write(path, content):
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    part.replace(path)


def behind(steps, figures):
    """The steps that made some figures, and what these were made from: files that the commands name. %: a seed, as in seeds_of."""
    patterns = [re.compile(re.escape(one).replace("%", "[0-9]+") + r"\.json") for one in figures]
    names = {step["makes"]: step for step in steps}
    todo, found = [name for name in names if any(pattern.fullmatch(name) for pattern in patterns)], set()
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += names.keys() & set(re.findall(r"[\w.-]+", " ".join(names[name]["commands"])))
    return [step for step in steps if step["makes"] in found]


def write_steps(path, figures=None):
    """All commands that made what is in the current folder, or only some figures; their seconds, and the digest of each model."""
    steps = sorted((read_json(step) for step in pathlib.Path().glob("*.step")), key=lambda step: step["makes"])
    if figures is not None:
        steps = behind(steps, figures)
    write(path, {"machine": machine(), "quick": bool(os.environ.get("QUICK")), "seconds": sum(step["seconds"] for step in steps),
                 "date": max((step["made"] for step in steps), default=f"{datetime.datetime.now():%Y-%m-%d}"), "made": steps})


# ---- parts of pages -------------------------------------------------------------------------------------------------

def mean_and_spread(numbers):
    spread = f" ± {statistics.stdev(numbers):.2f}" if len(numbers) > 1 else ""
    return f"{statistics.fmean(numbers):.2f}{spread}"


def difference(compared):
    """{"mean": …, "interval": [low, high]}, as a cell of a table; a dash for None."""
    if compared is None:
        return "–"
    low, high = compared["interval"]
    return f"{compared['mean']:+.2f} ({low:+.2f} to {high:+.2f})"


def choices(path, figure):
    """The candidates of a search. figure: what their validation errors are called."""
    if not path.exists():
        return "None are recorded."
    lines = [f"| what | setting | epochs | {figure} |", "|---|---|---|---|"]
    lines += [f"| {one['what']} | `{one['setting']}` | {one['epochs']} | {one['validation_errors'] or 'diverged'} |"
              for one in read_json(path)]
    return "\n".join(lines)


def commands(steps):
    """These steps, as they were run."""
    return "```\n" + "\n".join(f"{step['makes']} ({step['seconds'] / 60:.1f} min):\n    " + " |\n    ".join(step["commands"])
                               for step in steps) + "\n```"


def where_from(steps):
    machine_ = steps["machine"]
    by_onednn = any("--kernels onednn" in command for step in steps["made"] for command in step["commands"])
    who = f"oneDNN in {'bf16' if machine_.get('bf16') else 'f32'}" if by_onednn else \
        f"OpenBLAS kernels for {machine_['openblas_core']}, one thread a stage"
    return (f"Version {machine_['version']}, {machine_['cpu']}, {machine_['cores']} cores, {who}; {steps['seconds'] / 60:.0f} minutes of "
            f"training and testing in all, the sum of the times of all steps; steps that ran side by side count in full.")


def meaning(figures, lines):
    """What results mean for a user: a list of sentences with figures in them; without those whose figures are not all there."""
    known = [line for line in lines if {name for _, name, _, _ in string.Formatter().parse(line) if name} <= figures.keys()]
    return "\n".join(["What this means for a user:", ""] + [f"* {line.format_map(figures)}" for line in known]) if known else ""


def write_page(page, template, steps, values):
    """The template, with each @KEY@ replaced by its value."""
    text = pathlib.Path(template).read_text(encoding="utf-8")
    quick = "**A quick run: a taste with few epochs and nets, not the results.**\n\n" if steps["quick"] else ""
    for key, value in {"quick": quick, **values}.items():
        text = text.replace(f"@{key}@", value)
    page.write_text(text, encoding="utf-8")
