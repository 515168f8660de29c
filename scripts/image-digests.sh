#!/bin/bash
# Writes the digests of a build's images, and its commit, for Terraform: image-digests.sh REGISTRY BUILD COMMIT FILE
set -euo pipefail
registry=$1 build=$2 commit=$3 file=$4
separator="{\"commit\":\"$commit\",\"images\":{"
for function in functions/*/; do
  name=$(basename "$function")
  digest=$(gcloud artifacts docker images describe "$registry/$name:$build" --format='value(image_summary.digest)')
  printf '%s"%s":"%s"' "$separator" "$name" "$registry/$name@$digest"
  separator=,
done > "$file"
printf '}}\n' >> "$file"
