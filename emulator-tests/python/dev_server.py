"""The product on free ports: `dev_server` of `cargo dev`."""

import json
import os
import subprocess
import tempfile
import urllib.request
import uuid
from pathlib import Path

BUILT = Path(__file__).parent / "../../target/debug/dev_server"


class DevServer:
    """Runs from its making on; `stop` waits until it is gone."""

    def __init__(self):
        self._directory = tempfile.TemporaryDirectory(prefix="infinity-x-")
        ready_file = Path(self._directory.name) / "ready.json"
        self._process = subprocess.Popen(
            [os.environ.get("DEV_SERVER", BUILT), "--port", "0", "--ready-file", ready_file],
            env={**os.environ, "LOG_FILTER": "warn"},
            stdout=subprocess.PIPE,
        )
        # It says something once everything is up, or ends.
        if not self._process.stdout.readline():
            self.stop()
            raise RuntimeError("dev_server has not started")
        self._endpoints = json.loads(ready_file.read_text())

    @property
    def api_url(self):
        return self._endpoints["apiUrl"]

    def sign_up(self):
        """Makes a user with an organization of its own, and answers its ID token."""
        account = {
            "email": f"user-{uuid.uuid4()}@example.com",
            "password": "correct horse",
            "returnSecureToken": True,
        }
        url = f"http://{self._endpoints['authHost']}/identitytoolkit.googleapis.com/v1/accounts"
        request = urllib.request.Request(
            f"{url}:signUp?key=demo",
            data=json.dumps(account).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["idToken"]

    def stop(self):
        self._process.terminate()
        self._process.communicate()
        self._directory.cleanup()
