#!/bin/bash
# Waits until the database's indexes are ready: indexes-ready.sh PROJECT
set -euo pipefail
project=$1
patience_secs=${PATIENCE_SECS:-3600}

deadline=$(($(date +%s) + patience_secs))
while :; do
  waiting=$(gcloud firestore indexes composite list --project="$project" --database='(default)' \
    --filter='state!=READY' --format='value(name)')
  if [ -z "$waiting" ]; then
    echo 'all indexes are ready'
    exit 0
  fi
  if [ "$(date +%s)" -ge "$deadline" ]; then
    printf 'these indexes are not ready:\n%s\n' "$waiting" >&2
    exit 1
  fi
  sleep 15
done
