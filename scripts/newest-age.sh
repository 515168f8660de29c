#!/bin/bash
# Says that the newest of some objects is young enough, or fails. The jobs `backup-age` and `drill-age` run it.
# OBJECTS is their pattern; at less than LIMIT_HOURS the message is FRESH_MESSAGE, which an alert waits for.
set -euo pipefail
newest=$(gcloud storage objects list "$OBJECTS" \
  --format='value(creation_time)' --sort-by=~creation_time --limit=1)
if [ -z "$newest" ]; then
  printf '{"severity":"ERROR","message":"there is no such object","objects":"%s"}\n' "$OBJECTS"
  exit 1
fi
age_hours=$((($(date -u +%s) - $(date -u -d "$newest" +%s)) / 3600))
if [ "$age_hours" -ge "$LIMIT_HOURS" ]; then
  printf '{"severity":"ERROR","message":"the newest object is too old","objects":"%s","ageHours":%d}\n' "$OBJECTS" "$age_hours"
  exit 1
fi
printf '{"severity":"INFO","message":"%s","ageHours":%d}\n' "$FRESH_MESSAGE" "$age_hours"
