#!/bin/bash
# Writes the digests of a commit's images for Terraform: image-digests.sh REGISTRY COMMIT FILE
# The release pushes its images when it ends, a moment after it has begun the deployment.
set -euo pipefail
registry=$1 commit=$2 file=$3
patience_secs=${PATIENCE_SECS:-900}

digest() {
  gcloud artifacts docker images describe "$registry/$1:$commit" --format='value(image_summary.digest)'
}

deadline=$(($(date +%s) + patience_secs))
separator='{"images":{'
{
  for function in functions/*/; do
    name=$(basename "$function")
    until found=$(digest "$name"); do
      if [ "$(date +%s)" -ge "$deadline" ]; then
        echo "there is no image of $name for $commit" >&2
        exit 1
      fi
      sleep 10
    done
    printf '%s"%s":"%s"' "$separator" "$name" "$registry/$name@$found"
    separator=,
  done
  printf '}}\n'
} > "$file"
