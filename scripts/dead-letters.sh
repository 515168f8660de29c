#!/bin/bash
# Gives the subscriptions of Eventarc's triggers what a trigger has no setting for, dead letters and time: dead-letters.sh OUTPUTS
# A delivery that is not answered within ten seconds is repeated otherwise, while the first still runs.
# OUTPUTS is what `terraform output -json` printed. A repeat changes nothing.
set -euo pipefail
outputs=$1

subscriptions() {
  python3 - "$outputs" << 'PYTHON'
import json, sys

with open(sys.argv[1]) as outputs:
    for name, dead in json.load(outputs)["dead_letters"]["value"].items():
        print(name, dead["topic"], dead["max_deliveries"])
PYTHON
}

subscriptions | while read -r subscription topic deliveries; do
  gcloud pubsub subscriptions update "$subscription" --ack-deadline=600 \
    --dead-letter-topic="$topic" --max-delivery-attempts="$deliveries" --quiet
done
