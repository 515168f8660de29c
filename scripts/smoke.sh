#!/bin/bash
# Asks the functions that the Internet reaches, without a sign-in: smoke.sh DOMAIN
# What answers so has started, has read its configuration and checks its callers.
set -euo pipefail
domain=$1

expect() {
  local status
  status=$(curl --silent --output /dev/null --max-time 20 --retry 3 --write-out '%{http_code}' "${@:3}" "$2")
  if [ "$status" != "$1" ]; then
    echo "$2 answered $status instead of $1" >&2
    return 1
  fi
}

expect 401 "https://$domain/api/v1/me"
expect 401 "https://$domain/deployAgent" --header 'content-type: application/json' --data '{"data":{}}'
expect 400 "https://$domain/webhooks/stripe" --header 'content-type: application/json' --data '{}'
# What Google's callers post to has no way in.
expect 404 "https://$domain/sweep" --request POST
expect 301 "http://$domain/api/v1/me"
echo "$domain answers as it should"
