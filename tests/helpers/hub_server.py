"""Stands in for the Hugging Face Hub in tests: as much of its protocol as its client needs to push and pull models.

Repositories with branches and commits, tokens, upload of large files by Git LFS, downloads with a redirect to another
host, and every fault that a test asks for.
"""

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

OWNER, TOKEN, GUEST = "ada", "hf_ada", "hf_guest"  # who owns what is pushed, and the tokens of her and of somebody else


@dataclass
class Repository:
    """Files of every commit, and the commit of every branch."""

    private: bool
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    titles: list[str] = field(default_factory=list)
    claimed_sizes: dict[str, int | None] = field(default_factory=dict)  # what it says, where that is not so

    def commit(self, files: dict[str, bytes], branch: str = "main", title: str = "") -> str:
        """Make a commit of these files; return its name."""
        seed = json.dumps([len(self.commits), sorted(files), title])
        name = hashlib.sha1(seed.encode()).hexdigest()
        self.commits[name], self.branches[branch] = dict(files), name
        self.titles.append(title)
        return name

    def find(self, revision: str) -> str | None:
        """The commit that a branch or a commit's own name means."""
        return self.branches.get(revision, revision if revision in self.commits else None)


@dataclass
class Fault:
    """What goes wrong with requests whose "METHOD /path" matches: an answer, a body cut off, or silence."""

    pattern: str
    status: int = 0
    code: str = ""
    message: str = ""
    keep: float | None = None  # the share of the body that is sent before the connection breaks
    silent: bool = False
    body: bytes | None = None  # another one than it should be
    times: int = 10**9


class Hub(ThreadingHTTPServer):
    """The server, and what it holds and has seen."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, Repository] = {}
        self.large: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        self.released = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.storage = f"http://localhost:{self.server_port}/storage"  # another host, as the real one's is

    def add(self, name: str, files: dict[str, bytes], private: bool = False) -> Repository:
        """A repository that is there before the test begins."""
        self.repositories[name] = Repository(private)
        self.repositories[name].commit(files)
        return self.repositories[name]

    def seen(self, pattern: str) -> list[str]:
        """The requests so far, "METHOD /path", in which a pattern is found."""
        return [one for one in self.requests if re.search(pattern, one)]

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up; that is what some tests are about."""


@contextlib.contextmanager
def serving() -> Iterator[Hub]:
    """A server while the block lasts."""
    with Hub() as hub:
        thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield hub
        finally:
            hub.released.set()
            hub.shutdown()
            thread.join()


def large(name: str) -> bool:
    """Whether the Hub keeps a file by Git LFS."""
    return name.endswith((".safetensors", ".bin", ".pt"))


def blob_id(content: bytes) -> str:
    """How git calls a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    server: Hub

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._handle()

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PUT(self) -> None:
        self._handle()

    # --- answers

    def _answer(self, status: int, body: bytes | dict, headers: dict[str, str] | None = None) -> None:
        headers = dict(headers or {})
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        fault = self.fault
        if fault is not None and fault.body is not None:
            body = fault.body
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault is not None and fault.keep is not None:
            self.wfile.write(body[: int(fault.keep * len(body))])
            self.close_connection = True
            return
        self.wfile.write(body)

    def _refuse(self, status: int, code: str = "", message: str = "") -> None:
        headers = {"X-Error-Code": code} if code else {}
        headers |= {"X-Error-Message": message} if message else {}
        self._answer(status, {"error": message or code}, headers)

    # --- requests

    def _handle(self) -> None:
        parts = urlsplit(self.path)
        self.way, self.query = unquote(parts.path), parse_qs(parts.query)
        request = f"{self.command} {self.way}"
        self.server.requests.append(request)
        self.sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        faults = [one for one in self.server.faults if one.times > 0 and re.search(one.pattern, request)]
        self.fault = faults[0] if faults else None
        if self.fault is not None:
            self.fault.times -= 1
            if self.fault.silent:
                self.server.released.wait(30)
                self.close_connection = True
                return
            if self.fault.status:
                self._refuse(self.fault.status, self.fault.code, self.fault.message)
                return
        self.user = {f"Bearer {TOKEN}": OWNER, f"Bearer {GUEST}": "guest"}.get(self.headers.get("Authorization"))
        if self.way.startswith("/storage/"):
            self._storage(self.way.removeprefix("/storage/"))
            return
        if self.headers.get("Authorization") and self.user is None:
            self._refuse(401, message="Invalid credentials in Authorization header")
            return
        for method, pattern, act in _ROUTES:
            found = re.fullmatch(pattern, self.way)
            if found and self.command in method.split():
                act(self, **found.groupdict())
                return
        self._refuse(404, message=f"the stand-in knows no {request}")

    def _repository(self, name: str) -> Repository | None:
        """What there is for this user to see; None after a refusal."""
        found = self.server.repositories.get(name)
        if found is not None and (not found.private or self.user == OWNER):
            return found
        # Whoever is not logged in gets no hint whether there is one.
        self._refuse(404 if self.user else 401, "RepoNotFound", "Repository not found")
        return None

    def _storage(self, digest: str) -> None:
        """Large files: their addresses are signed, so that no token has to go there, and none must."""
        if self.headers.get("Authorization"):
            self._refuse(400, message="a token was sent to another host")
        elif self.command == "PUT":
            right = hashlib.sha256(self.sent).hexdigest() == digest
            if right:
                self.server.large[digest] = self.sent
            self._answer(200 if right else 400, b"")
        else:
            self._send_file(self.server.large[digest], {})

    def _send_file(self, content: bytes, headers: dict[str, str]) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if wanted:
            start, length = int(wanted[1]), len(content)
            headers |= {"Content-Range": f"bytes {start}-{length - 1}/{length}"}
            self._answer(206, content[start:], headers)
        else:
            self._answer(200, content, headers)

    # --- the interface

    def create(self) -> None:
        asked = json.loads(self.sent)
        name = f"{asked['organization']}/{asked['name']}"
        if self.user is None:
            self._refuse(401, message="Invalid username or password.")
        elif asked["organization"] != self.user:
            self._refuse(403, message="You don't have the rights to create a model under this namespace")
        elif name in self.server.repositories:
            self._refuse(409, message="You already created this model repo")
        else:
            private = asked.get("visibility") == "private" or asked.get("private") is True
            self.server.add(name, {".gitattributes": b"*.safetensors filter=lfs\n"}, private)
            self._answer(200, {"url": f"{self.server.url}/{name}", "name": name})

    def validate(self) -> None:
        content = json.loads(self.sent)["content"]
        valid = content.startswith("---\n") and "\n---\n" in content[4:]
        self._answer(200 if valid else 400, {"errors": [] if valid else [{"message": "no metadata"}], "warnings": []})

    def info(self, name: str, revision: str = "main") -> None:
        if (repository := self._repository(name)) is None:
            return
        commit = repository.find(revision)
        if commit is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return
        files = []
        for file, content in repository.commits[commit].items():
            entry = {"rfilename": file}
            if "blobs" in self.query:
                entry |= {"size": repository.claimed_sizes.get(file, len(content)), "blobId": blob_id(content)}
                if large(file):
                    digest = hashlib.sha256(content).hexdigest()
                    entry["lfs"] = {"sha256": digest, "size": entry["size"], "pointerSize": 134}
            files.append(entry)
        about = {"id": name, "modelId": name, "private": repository.private, "sha": commit, "siblings": files}
        self._answer(200, about)

    def branch(self, name: str, branch: str) -> None:
        if not self._may_write(name):
            return
        repository = self.server.repositories[name]
        if branch in repository.branches:
            self._refuse(409, message="Reference already exists")
            return
        repository.branches[branch] = repository.branches["main"]
        self._answer(200, {})

    def preupload(self, name: str, revision: str) -> None:
        if not self._may_write(name):
            return
        files = [
            {"path": one["path"], "uploadMode": "lfs" if large(one["path"]) else "regular", "shouldIgnore": False}
            for one in json.loads(self.sent)["files"]
        ]
        self._answer(200, {"files": files})

    def batch(self, name: str) -> None:
        if not self._may_write(name):
            return
        objects = []
        for one in json.loads(self.sent)["objects"]:
            upload = {"upload": {"href": f"{self.server.storage}/{one['oid']}", "header": {}}}
            objects.append(one if one["oid"] in self.server.large else one | {"actions": upload})
        self._answer(200, {"transfer": "basic", "objects": objects})

    def commit(self, name: str, revision: str) -> None:
        if not self._may_write(name):
            return
        repository = self.server.repositories[name]
        files, title = dict(repository.commits[repository.branches[revision]]), ""
        for line in self.sent.splitlines():
            one = json.loads(line)
            value = one["value"]
            if one["key"] == "header":
                title = value["summary"]
            elif one["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif one["key"] == "lfsFile":
                files[value["path"]] = self.server.large[value["oid"]]
            elif one["key"] == "deletedFile":
                del files[value["path"]]
        made = repository.commit(files, revision, title)
        self._answer(200, {"success": True, "commitOid": made, "commitUrl": f"{self.server.url}/{name}/commit/{made}"})

    def _may_write(self, name: str) -> bool:
        if self._repository(name) is None:
            return False
        if self.user != OWNER:
            self._refuse(403, message="You need write access to this repository")
        return self.user == OWNER

    def file(self, name: str, revision: str, file: str) -> None:
        if (repository := self._repository(name)) is None:
            return
        commit = repository.find(revision)
        if commit is None:
            self._refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
            return
        content = repository.commits[commit].get(file)
        if content is None:
            self._refuse(404, "EntryNotFound", "Entry not found")
            return
        headers = {"X-Repo-Commit": commit, "ETag": f'"{blob_id(content)}"'}
        if large(file):
            digest = hashlib.sha256(content).hexdigest()
            self.server.large[digest] = content
            linked = {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(content))}
            self._answer(302, b"", headers | linked | {"Location": f"{self.server.storage}/{digest}"})
        else:
            self._send_file(content, headers)


_REPO = r"(?P<name>[^/]+/[^/]+)"
_ROUTES = [
    ("POST", "/api/repos/create", _Handler.create),
    ("POST", "/api/validate-yaml", _Handler.validate),
    ("GET", rf"/api/models/{_REPO}", _Handler.info),
    ("GET", rf"/api/models/{_REPO}/revision/(?P<revision>.+)", _Handler.info),
    ("POST", rf"/api/models/{_REPO}/branch/(?P<branch>.+)", _Handler.branch),
    ("POST", rf"/api/models/{_REPO}/preupload/(?P<revision>.+)", _Handler.preupload),
    ("POST", rf"/{_REPO}\.git/info/lfs/objects/batch", _Handler.batch),
    ("POST", rf"/api/models/{_REPO}/commit/(?P<revision>.+)", _Handler.commit),
    ("GET HEAD", rf"/{_REPO}/resolve/(?P<revision>[^/]+)/(?P<file>.+)", _Handler.file),
]
