#!/bin/bash
# Exports the database as it was a whole minute ago, so that all of it is of the same moment, which is the export's name:
# the job `drill` compares with the database of that moment. The job `backup` runs it.
set -euo pipefail
moment=$(date -u -d '1 minute ago' +%Y-%m-%dT%H:%M:00Z)
target=gs://$BACKUP_BUCKET/$(date -u -d "$moment" +%Y-%m-%dT%H%M%SZ)
gcloud firestore export "$target" \
  --project="$GOOGLE_CLOUD_PROJECT" --database="$FIRESTORE_DATABASE" --snapshot-time="$moment" --quiet
printf '{"severity":"INFO","message":"backup made","backup.moment":"%s","backup.url":"%s"}\n' "$moment" "$target"
