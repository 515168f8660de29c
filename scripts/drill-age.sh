#!/bin/bash
# Says that the last drill of a restore that passed is at most 100 days old, or fails. The job `drill-age` runs it.
set -euo pipefail
limit_days=100
newest=$(gcloud storage objects list "gs://$AUDIT_ANCHOR_BUCKET/drills/passed/**" \
  --format='value(creation_time)' --sort-by=~creation_time --limit=1)
if [ -z "$newest" ]; then
  printf '{"severity":"ERROR","message":"no restore drill has passed"}\n'
  exit 1
fi
age_days=$((($(date -u +%s) - $(date -u -d "$newest" +%s)) / 86400))
if [ "$age_days" -ge "$limit_days" ]; then
  printf '{"severity":"ERROR","message":"restore drill is overdue","drill.age_days":%d}\n' "$age_days"
  exit 1
fi
printf '{"severity":"INFO","message":"restore drill is recent","drill.age_days":%d}\n' "$age_days"
