"""Says what came of the requests: how many there were, what they were answered, and which operations never succeeded.

The report is read line by line: it holds every request. A success shows that more was tried than the checks of the input.
"""

import collections
import json
import sys

report, document = sys.argv[1:]
with open(document) as file:
    paths = json.load(file)["paths"]
operations = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}

answers = collections.Counter()
tried, succeeded = set(), set()
with open(report) as lines:
    for line in lines:
        recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder")
        if not recorder:
            continue
        for key, interaction in recorder.get("interactions", {}).items():
            case = recorder["cases"][key]["value"]
            operation = f"{case['method']} {case['path']}"
            response = interaction.get("response")
            if operation not in operations or not response:
                continue
            status = response["status_code"]
            answers[status] += 1
            tried.add(operation)
            if status < 400:
                succeeded.add(operation)

shown = ", ".join(f"{count} × {status}" for status, count in sorted(answers.items()))
print(f"contract: {sum(answers.values())} requests to {len(tried)} operations: {shown}")
never = sorted(tried - succeeded)
if never:
    print(f"contract: {len(never)} operations were only tried with requests that they refuse:")
    for operation in never:
        print(f"    {operation}")
