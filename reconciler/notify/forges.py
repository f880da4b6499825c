"""Telling a forge what became of its commits: a status beside each, and a comment on the request that brought it.

Sources: https://docs.github.com/rest/commits/statuses, /rest/commits/commits (pull requests of a commit) and
/rest/issues/comments; https://docs.gitlab.com/api/commits (statuses, merge requests) and /api/notes; the OpenAPI
document of Gitea and Forgejo at /api/swagger (repoCreateStatus, repoGetCommitPullRequest, issueCreateComment).
"""

from __future__ import annotations

import json
import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias
from urllib.parse import quote

from msgspec import Struct

from reconciler.errors import NeedsHuman, RetryLater
from reconciler.model.receiver import ReceiverKind, Topic
from reconciler.notify.addresses import find_forge
from reconciler.notify.comment import MAX_NOTE, HostRow, begins_like, parse_rows, render_comment
from reconciler.notify.senders import GONE, USER_AGENT, NotThere, Rejected, Sender, parse_object
from reconciler.report.commits import short_sha
from reconciler.report.escape import escape_line
from reconciler.report.markdown import truncate
from reconciler.values import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reconciler.adapters.outgoing import Reply
    from reconciler.model.receiver import Receiver
    from reconciler.notify.addresses import ForgePlace
    from reconciler.notify.messages import Origin
    from reconciler.notify.outbox import Message
    from reconciler.notify.transitions import Transition

MAX_DESCRIPTION = 140
"""Characters: GitHub's limit, the smallest."""
MAX_CONTEXT = 200
MAX_ANSWER = 16 << 20
"""Bytes of a page of comments."""
PAGE, MAX_PAGES = 100, 20
STEPS = 10
"""Requests and more that one turn of the thread takes; others wait for theirs."""
LOOK_AGAIN = (3.0, 8.0)
"""Seconds until a comment is read again that was just written: another host may have written at the same moment."""
MAX_LOOKS = 5
"""Times that a comment is written about one commit: where hosts write over each other for ever, it is left so."""

Call: TypeAlias = Callable[[str, str, Any], Any]
"""Method, path and JSON of a request; gives the JSON of the answer, None for what is not there."""


class Comment(Struct, frozen=True):
    """A comment that is there; `own` when the account of the token wrote it."""

    key: int
    body: str
    own: bool


class CommitStatus(Struct, frozen=True):
    """What a forge shows beside a commit. `topic` is live, refused or held."""

    sha: str
    topic: Topic
    context: str
    description: str
    url: str

    def as_json(self, states: Mapping[Topic, str], name: str = "context") -> dict[str, str]:
        """The body of the request, with the forge's word for the state."""
        link = {"target_url": self.url} if self.url else {}
        return {"state": states[self.topic], name: self.context, "description": self.description, **link}


class Forge(ABC):
    """The API of one kind of forge, for one repository."""

    states: ClassVar[Mapping[Topic, str]] = {Topic.LIVE: "success", Topic.REFUSED: "failure", Topic.HELD: "pending"}

    def __init__(self, call: Call, place: ForgePlace, branch: str) -> None:
        self.call, self.place, self.branch = call, place, branch
        self._writer: object = None

    @staticmethod
    @abstractmethod
    def headers(token: str) -> dict[str, str]:
        """What lets the token in."""

    @abstractmethod
    def set_status(self, status: CommitStatus) -> None:
        """Show it beside its commit."""

    @abstractmethod
    def find_request(self, sha: str) -> int | None:
        """The number of the merged pull or merge request that brought a commit to the branch; None for none."""

    @abstractmethod
    def comments(self, number: int) -> Iterator[Comment]:
        """The comments on a request, oldest first."""

    @abstractmethod
    def add(self, number: int, body: str) -> None:
        """Write a comment."""

    @abstractmethod
    def update(self, number: int, comment: Comment, body: str) -> None:
        """Write another text over a comment."""

    @abstractmethod
    def delete(self, number: int, comment: Comment) -> None:
        """Take a comment away."""

    @abstractmethod
    def find_writer(self) -> object:
        """Whom the token writes as; empty where the forge does not say."""

    @abstractmethod
    def check(self) -> None:
        """See that the token may see the repository; changes nothing."""

    def writer(self) -> object:
        """Whom the token writes as, asked until it is known: without it each comment would look like another's."""
        if not self._writer:
            self._writer = self.find_writer()
        if not self._writer:
            raise RetryLater(f"{self.place.api} does not say whom the token writes as")
        return self._writer

    def pages(self, path: str) -> Iterator[Any]:
        """The items of a list, page by page."""
        for number in range(1, MAX_PAGES + 1):
            items = as_list(self.call("GET", f"{path}?per_page={PAGE}&page={number}", None))
            yield from items
            if len(items) < PAGE:
                return


class GitHub(Forge):
    """GitHub, its Enterprise Server included."""

    @staticmethod
    def headers(token: str) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }

    @property
    def repo(self) -> str:
        return f"/repos/{quote(self.place.path)}"

    def set_status(self, status: CommitStatus) -> None:
        self.call("POST", f"{self.repo}/statuses/{status.sha}", status.as_json(self.states))

    def find_request(self, sha: str) -> int | None:
        for found in as_list(self.call("GET", f"{self.repo}/commits/{sha}/pulls", None)):
            if found.get("merged_at") and (found.get("base") or {}).get("ref") == self.branch:
                return int(found["number"])
        return None

    def comments(self, number: int) -> Iterator[Comment]:
        own = self.writer()
        for found in self.pages(f"{self.repo}/issues/{number}/comments"):
            yield Comment(found["id"], found["body"] or "", (found["user"] or {}).get("login") == own)

    def add(self, number: int, body: str) -> None:
        self.call("POST", f"{self.repo}/issues/{number}/comments", {"body": body})

    def update(self, number: int, comment: Comment, body: str) -> None:
        self.call("PATCH", f"{self.repo}/issues/comments/{comment.key}", {"body": body})

    def delete(self, number: int, comment: Comment) -> None:
        self.call("DELETE", f"{self.repo}/issues/comments/{comment.key}", None)

    def find_writer(self) -> object:
        """`GET /user` is closed to the tokens of apps; this way is open to all. It answers 200 to errors too."""
        found = self.call("POST", self.graphql, {"query": "query { viewer { login } }"})
        data = found.get("data") if isinstance(found, dict) else None
        return ((data or {}).get("viewer") or {}).get("login") or ""

    @property
    def graphql(self) -> str:
        """Beside the REST API, and on Enterprise Server not below it."""
        return "/../graphql" if self.place.api.endswith("/api/v3") else "/graphql"

    def check(self) -> None:
        require(self.call("GET", self.repo, None), self.place)


class Gitea(GitHub):
    """Gitea and Forgejo, whose API is much like GitHub's."""

    @staticmethod
    def headers(token: str) -> dict[str, str]:
        return {"Authorization": f"token {token}", "Accept": "application/json"}

    def set_status(self, status: CommitStatus) -> None:
        try:
            super().set_status(status)
        except NotThere as error:
            if self.call("GET", self.repo, None) is None:
                raise
            raise Rejected(str(error), hint="see that this commit was pushed there") from error

    def find_request(self, sha: str) -> int | None:
        found = self.call("GET", f"{self.repo}/commits/{sha}/pull", None) or {}
        is_merged = found.get("merged") and (found.get("base") or {}).get("ref") == self.branch
        return int(found["number"]) if is_merged else None

    def comments(self, number: int) -> Iterator[Comment]:
        """All of them: this list has no pages."""
        own = self.writer()
        for found in as_list(self.call("GET", f"{self.repo}/issues/{number}/comments", None)):
            yield Comment(found["id"], found["body"] or "", (found["user"] or {}).get("login") == own)

    def find_writer(self) -> object:
        return (self.call("GET", "/user", None) or {}).get("login") or ""


class GitLab(Forge):
    states: ClassVar[Mapping[Topic, str]] = {**Forge.states, Topic.REFUSED: "failed"}

    @staticmethod
    def headers(token: str) -> dict[str, str]:
        return {"PRIVATE-TOKEN": token, "Accept": "application/json"}

    @property
    def project(self) -> str:
        return f"/projects/{quote(self.place.path, safe='')}"

    def set_status(self, status: CommitStatus) -> None:
        try:
            self.call("POST", f"{self.project}/statuses/{status.sha}", status.as_json(self.states, "name"))
        except NeedsHuman as error:
            if "commit not found" in str(error).lower():  # nothing is wrong with the token or the address
                raise Rejected(str(error), hint="see that this commit was pushed there") from error
            if "cannot transition status" not in str(error).lower():  # it refuses the state that a status has
                raise

    def find_request(self, sha: str) -> int | None:
        for found in as_list(self.call("GET", f"{self.project}/repository/commits/{sha}/merge_requests", None)):
            if found.get("state") == "merged" and found.get("target_branch") == self.branch:
                return int(found["iid"])
        return None

    def comments(self, number: int) -> Iterator[Comment]:
        own = self.writer()
        for found in self.pages(f"{self.project}/merge_requests/{number}/notes"):
            yield Comment(found["id"], found["body"] or "", (found["author"] or {}).get("id") == own)

    def add(self, number: int, body: str) -> None:
        self.call("POST", f"{self.project}/merge_requests/{number}/notes", {"body": body})

    def update(self, number: int, comment: Comment, body: str) -> None:
        self.call("PUT", f"{self.project}/merge_requests/{number}/notes/{comment.key}", {"body": body})

    def delete(self, number: int, comment: Comment) -> None:
        self.call("DELETE", f"{self.project}/merge_requests/{number}/notes/{comment.key}", None)

    def find_writer(self) -> object:
        return (self.call("GET", "/user", None) or {}).get("id") or ""

    def check(self) -> None:
        require(self.call("GET", self.project, None), self.place)


APIS: Mapping[ReceiverKind, type[Forge]] = {
    ReceiverKind.GITHUB: GitHub,
    ReceiverKind.GITLAB: GitLab,
    ReceiverKind.GITEA: Gitea,
}


class ForgeSender(Sender):
    """Statuses first, then comments. What is done of a message is kept in it, so that no attempt does it again."""

    gap, takes_parts = 0.0, False  # it tries each commit by itself

    def __init__(self, receiver: Receiver, origin: Origin) -> None:
        super().__init__(receiver, origin)
        self._kind = APIS[receiver.kind]
        self._forge: Forge | None = None
        self._message = ""
        self._looks = Counter[str]()
        """How often a comment of this message was not yet as it is to be."""
        self._rejections: dict[str, Rejected] = {}
        """What the forge does not take of it, as of a commit that it does not know."""

    @property
    def forge(self) -> Forge:
        """Raises `UsageError` where nothing says where the repository is on it."""
        if self._forge is None:
            place = find_forge(self.receiver, self.origin.url)
            self._api = place.api
            self._forge = self._kind(self._call, place, self.origin.branch)
        return self._forge

    def send(self, message: Message) -> Message | None:
        self.pause = 0.0
        if message.id != self._message:
            self._message, self._looks, self._rejections = message.id, Counter(), {}
        steps = list(self._steps(message))
        done = list(message.done)
        pending = [one for one in steps if one[0] not in message.done]
        pending.sort(key=lambda one: one[0] in self._rejections)  # they keep none of the others from its turn
        for key, step in pending[:STEPS]:
            try:
                is_done = step()
            except Rejected as error:
                self._rejections[key] = error
                continue
            except (RetryLater, NeedsHuman):
                if len(done) == len(message.done):
                    raise
                break  # the next turn meets it first
            self._looks[key] += 1
            if not is_done and self._looks[key] < MAX_LOOKS:
                self.pause = random.uniform(*LOOK_AGAIN)  # noqa: S311  no secret
                break
            done.append(key)
        left = [key for key, _ in steps if key not in done]
        if left and all(key in self._rejections for key in left) and len(done) == len(message.done):
            raise self._rejections[left[0]]
        return replace(message, done=tuple(done)) if left else None

    def _steps(self, message: Message) -> Iterator[tuple[str, Callable[[], bool]]]:
        """All that a message stands for, by what it is kept under. Of several about a commit the last one counts."""
        statuses: dict[str, tuple[CommitStatus, HostRow]] = {}
        for transition in message.transitions:
            for status, row in self._statuses(transition):
                statuses.pop(status.sha, None)
                statuses[status.sha] = status, row
        for sha, (status, _) in statuses.items():
            yield f"status {sha}", lambda status=status: self._set_status(status)  # type: ignore[misc]
        for sha, (_, row) in statuses.items():
            yield f"comment {sha}", lambda sha=sha, row=row: self._comment(sha, row)  # type: ignore[misc]

    def _statuses(self, one: Transition) -> Iterator[tuple[CommitStatus, HostRow]]:
        if one.commit is None:
            return
        commits = [info.sha for info in one.commits] if one.topic is not Topic.REFUSED else []
        at = f"{one.at:%Y-%m-%d %H:%M} UTC"
        context = f"reconciler/{escape_line(self.origin.host)}"[:MAX_CONTEXT]
        for sha in commits or [one.commit]:
            note = self._note(one, sha)
            description = truncate(escape_line(f"{one.topic}{f': {note}' if note else ''}"), MAX_DESCRIPTION)
            link = self.origin.dashboard
            told = note if one.topic is not Topic.LIVE else ""  # the same for all commits of a request
            row = HostRow(self.origin.host, str(one.topic), one.commit, at, truncate(told, MAX_NOTE))
            yield CommitStatus(sha, one.topic, context, description, link), row

    def _note(self, one: Transition, sha: str) -> str:
        if one.topic is Topic.REFUSED:
            more = f", and {one.omitted:,} more" if one.omitted else ""
            return f"{one.details[0] if one.details else one.reason}{more}"
        if one.topic is Topic.HELD:
            return one.message
        return f"with {short_sha(one.commit or '')}" if sha != one.commit else ""

    def _set_status(self, status: CommitStatus) -> bool:
        self.forge.set_status(status)
        return True

    def _comment(self, sha: str, row: HostRow) -> bool:
        """Put the row into the comment; whether it was there already."""
        number = self.forge.find_request(sha)
        if number is None:
            return True
        place = self.origin.folder
        own = [one for one in self.forge.comments(number) if one.own and begins_like(one.body, place)]
        rows: dict[str, HostRow] = {}
        for comment in reversed(own):
            rows |= parse_rows(comment.body)
        if own and parse_rows(own[0].body).get(row.host) == row and len(own) == 1:
            return True
        body = render_comment({**rows, row.host: row}, place, row.host)
        if not own:
            self.forge.add(number, body)
            return False
        self.forge.update(number, own[0], body)
        for second in own[1:]:  # two hosts began one at the same moment
            self.forge.delete(number, second)
        return False

    def _call(self, method: str, path: str, body: Any) -> Any:
        url = self._api + path
        if path.startswith("/../"):
            url = f"{self._api.rpartition('/')[0]}{path[3:]}"
        data = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", "user-agent": USER_AGENT, **self._kind.headers(self.receiver.token)}
        reply = self.client.send(method, url, sent, data, max_body=MAX_ANSWER)
        if method != "POST" and reply.status in GONE:  # what is to be changed or deleted may be gone, too
            return None
        self.check(reply, self._said(reply, f"{method} {path.partition('?')[0]}"))
        if not reply.body:
            return None
        try:
            return json.loads(reply.body)
        except (ValueError, RecursionError):
            raise RetryLater(f"{self.receiver.label} answers something that is no JSON") from None

    def _said(self, reply: Reply, what: str) -> str:
        """What was asked, and what the forge says is wrong."""
        said = parse_object(reply.body).get("message", "") if reply.status >= HTTPStatus.BAD_REQUEST else ""
        return self.redact(f"{what}{f', {said}' if said else ''}")


def as_list(value: Any) -> list[Any]:
    """The objects of a list; none for what is not there."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def require(found: Any, place: ForgePlace) -> None:
    """Raise `NeedsHuman` for a repository that the token does not see."""
    if found is None:
        hint = "see that the path is right, and what the token allows"
        raise NeedsHuman(f"the token sees no repository {place.path} at {place.api}", hint=hint)
