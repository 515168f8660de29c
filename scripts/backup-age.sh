#!/bin/bash
# Says that the newest export that was finished is at most 26 hours old, or fails. The job `backup-age` runs it.
set -euo pipefail
limit_hours=26
# Firestore writes this file last.
newest=$(gcloud storage objects list "gs://$BACKUP_BUCKET/**.overall_export_metadata" \
  --format='value(creation_time)' --sort-by=~creation_time --limit=1)
if [ -z "$newest" ]; then
  printf '{"severity":"ERROR","message":"there is no backup"}\n'
  exit 1
fi
age_hours=$((($(date -u +%s) - $(date -u -d "$newest" +%s)) / 3600))
if [ "$age_hours" -ge "$limit_hours" ]; then
  printf '{"severity":"ERROR","message":"backup is too old","backup.age_hours":%d}\n' "$age_hours"
  exit 1
fi
printf '{"severity":"INFO","message":"backup is fresh","backup.age_hours":%d}\n' "$age_hours"
