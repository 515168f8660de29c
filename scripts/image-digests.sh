#!/bin/bash
# Writes the digests of a build's images, and its commit, for Terraform: image-digests.sh REGISTRY BUILD COMMIT PROJECT LOCATION FILE
# The build itself tells them, which needs no right on what scans images. Fails if it is not of this commit, or has no image
# of a function.
set -euo pipefail
registry=$1 build=$2 commit=$3 project=$4 location=$5 file=$6
functions=$(for function in functions/*/; do basename "$function"; done)
gcloud builds describe "$build" --project="$project" --region="$location" --format=json > "$file.build"
# shellcheck disable=SC2086 # Each name is an argument.
python3 - "$file.build" "$registry" "$build" "$commit" $functions << 'PYTHON' > "$file"
import json, sys

path, registry, tag, commit, *functions = sys.argv[1:]
with open(path) as file:
    build = json.load(file)
if build["substitutions"]["COMMIT_SHA"] != commit:
    sys.exit(f"the build {tag} is not of the commit {commit}")
digests = {image["name"]: image["digest"] for image in build.get("results", {}).get("images", [])}
missing = [name for name in functions if f"{registry}/{name}:{tag}" not in digests]
if missing:
    sys.exit(f"the build {tag} has no image of: {' '.join(missing)}")
images = {name: f"{registry}/{name}@{digests[f'{registry}/{name}:{tag}']}" for name in functions}
print(json.dumps({"commit": commit, "images": images}))
PYTHON
rm "$file.build"
