#!/bin/bash
# Holds each service to the revision that it serves if it has no other: hold-traffic.sh OUTPUTS PROJECT LOCATION
# A new service follows its latest revision, and the next one would get all traffic at once. OUTPUTS is what
# `terraform output -json` printed. Fails after all were held if the newest revision of one did not start or cannot be
# read. A repeat changes nothing.
set -euo pipefail
outputs=$1 project=$2 location=$3

# An expression of Python over the JSON that comes in, `data`.
json() {
  python3 -c "import json, sys; data = json.load(sys.stdin); print($1)"
}

# Bash heeds no failure within a condition, so that each one is looked at.
hold() {
  local service serving newest created
  service=$(gcloud run services describe "$1" --project="$project" --region="$location" --format=json) || return
  serving=$(json 'max(data["status"]["traffic"], key=lambda to: to.get("percent", 0))["revisionName"]' <<< "$service") || return
  newest=$(json 'data["status"]["latestReadyRevisionName"]' <<< "$service") || return
  if [ "$serving" = "$newest" ]; then
    gcloud run services update-traffic "$1" --to-revisions="$newest=100" \
      --project="$project" --region="$location" --quiet > /dev/null || return
  fi
  created=$(json 'data["status"]["latestCreatedRevisionName"]' <<< "$service") || return
  [ "$newest" = "$created" ]
}

broken=
functions=$(json '" ".join(data["functions"]["value"])' < "$outputs")
for function in $functions; do
  hold "$function" || broken="$broken $function"
done
if [ -n "$broken" ]; then
  echo "the newest revision did not start, or cannot be held:$broken" >&2
  exit 1
fi
