#!/bin/bash
# Leads traffic to the newest revisions, a little at first: rollout.sh OUTPUTS PROJECT LOCATION DOMAIN
# OUTPUTS is what `terraform output -json` printed. If a canary fails more often than the limit, or the smoke test
# does, all traffic goes back to the revisions that had it. A service that is new is held to its revision.
set -euo pipefail
outputs=$1 project=$2 location=$3 domain=$4
canary_percent=${CANARY_PERCENT:-10}
watch_secs=${WATCH_SECS:-300}
# Of at least so many requests; fewer tell nothing.
limit=0.02 least=20
here=$(dirname "$0")
declare -A before=() after=()

# An expression of Python over the JSON that comes in, `data`.
json() {
  python3 -c "import json, sys; data = json.load(sys.stdin); print($1)"
}

run() {
  gcloud run services "$@" --project="$project" --region="$location" --quiet
}

lead() {
  run update-traffic "$1" --to-revisions="$2" > /dev/null
}

roll_back() {
  for function in "${!before[@]}"; do
    lead "$function" "${before[$function]}=100"
  done
  echo "rolled back: $1" >&2
  exit 1
}

# 1 if the canary of a function fails too often.
is_failing() {
  local requests="run_googleapis_com:request_count{monitored_resource=\"cloud_run_revision\", service_name=\"$1\", revision_name=\"$2\"}"
  local failures="${requests%\}}, response_code_class=\"5xx\"}"
  local query="(sum(increase(${failures}[10m])) / sum(increase(${requests}[10m]))) > $limit and sum(increase(${requests}[10m])) >= $least"
  local answer
  answer=$(curl --silent --fail --max-time 30 \
    --header "authorization: Bearer $(gcloud auth print-access-token)" \
    --data-urlencode "query=$query" \
    "https://monitoring.googleapis.com/v1/projects/$project/location/global/prometheus/api/v1/query")
  json 'len(data["data"]["result"])' <<< "$answer"
}

"$here/hold-traffic.sh" "$outputs" "$project" "$location"
for function in $(json '" ".join(data["functions"]["value"])' < "$outputs"); do
  service=$(run describe "$function" --format=json)
  serving=$(json 'max(data["status"]["traffic"], key=lambda to: to.get("percent", 0))["revisionName"]' <<< "$service")
  newest=$(json 'data["status"]["latestReadyRevisionName"]' <<< "$service")
  if [ "$serving" = "$newest" ]; then
    continue
  fi
  before[$function]=$serving
  after[$function]=$newest
  lead "$function" "$newest=$canary_percent,$serving=$((100 - canary_percent))"
done

sleep "$watch_secs"
for function in "${!after[@]}"; do
  failing=$(is_failing "$function" "${after[$function]}") || roll_back "nobody knows how the canary of $function fares"
  [ "$failing" = 0 ] || roll_back "the canary of $function fails"
done
"$here/smoke.sh" "$domain" || roll_back 'the smoke test fails'

for function in "${!after[@]}"; do
  lead "$function" "${after[$function]}=100"
done
"$here/smoke.sh" "$domain" || roll_back 'the smoke test fails'
echo "${#after[@]} functions have new revisions"
