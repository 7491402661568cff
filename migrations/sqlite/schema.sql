-- What the migrations of this folder lead to; written by: go test ./migrations -update

CREATE TABLE account (
    id         text primary key,
    name       text not null unique,
    is_service integer not null,
    admin      integer not null,
    password   text not null, -- bcrypt
    created_at integer not null
);

CREATE TABLE action (
    id      text primary key,
    ref     text not null unique,
    pack    text not null,
    name    text not null,
    enabled integer not null,
    body    blob not null
);

CREATE INDEX action_pack on action (pack, name);

CREATE TABLE action_alias (
    id      text primary key,
    ref     text not null unique,
    pack    text not null,
    name    text not null,
    enabled integer not null,
    body    blob not null
);

CREATE INDEX action_alias_name on action_alias (name);

CREATE INDEX action_alias_pack on action_alias (pack, name);

CREATE TABLE api_key (
    id         text primary key,
    hash       text not null unique,
    uid        text not null,
    user_name  text not null,
    enabled    integer not null,
    created_at integer not null,
    metadata   blob
);

CREATE TABLE audit (
    seq          integer primary key autoincrement,
    id           text not null unique,
    at           integer not null,
    user_name    text not null,
    chat         text not null,
    came_from    text not null,
    action       text not null,
    target       text not null,
    allowed      integer not null,
    reason       text not null,
    request_id   text not null,
    arguments    blob
);

CREATE TRIGGER audit_no_delete before delete on audit
begin
    select raise(abort, 'audit entries cannot be removed');
end;

CREATE TRIGGER audit_no_update before update on audit
begin
    select raise(abort, 'audit entries cannot be changed');
end;

CREATE INDEX audit_target on audit (target, seq);

CREATE INDEX audit_user on audit (user_name, seq);

CREATE TABLE chat_event (
    seq       integer primary key autoincrement,
    id        text not null unique,
    key       text unique,
    adapter   text not null,
    workspace text not null,
    chat_user text not null,
    channel   text not null,
    thread    text not null,
    kind      text not null,
    at        integer not null,
    stored_at integer not null,
    owner     text not null,
    attempt   integer not null,
    state     text not null check (state in ('new', 'done')),
    outcome   text not null,
    text      blob,
    payload   blob
);

CREATE INDEX chat_event_new on chat_event (seq) where state = 'new';

CREATE INDEX chat_event_stored on chat_event (stored_at) where state = 'done';

CREATE TABLE chat_link (
    adapter   text not null,
    workspace text not null,
    chat_user text not null,
    user_name text not null,
    primary key (adapter, workspace, chat_user)
) without rowid;

CREATE INDEX chat_link_user on chat_link (user_name);

CREATE TABLE config (
    id     text primary key,
    pack   text not null unique,
    body blob
);

CREATE TABLE doc (
    hash text primary key,
    used integer not null,
    body blob not null
) without rowid;

CREATE TABLE execution (
    id                 text primary key,
    liveaction_id      text not null,
    action_ref         text not null,
    action_doc         text not null,
    runner             text not null,
    runner_doc         text not null,
    status             text check (status in ('succeeded', 'failed', 'timeout', 'abandoned', 'canceled')),
    started_at         integer not null,
    ended_at           integer not null,
    user_name          text not null,
    parent             text not null,
    delay              integer not null,
    lane               text not null,
    depth              integer not null,
    idempotency_key    text,
    attempt            integer not null,
    host               text not null,
    pid                integer not null,
    workflow_execution text not null,
    task_execution     text not null,
    result_size        integer not null,
    revision           integer not null,
    log                text not null,
    parameters         blob,
    context            blob,
    result             blob,
    notify             blob,
    callback           blob
);

CREATE INDEX execution_action on execution (action_ref, started_at, id);

CREATE INDEX execution_ended on execution (ended_at, id) where parent = '' and status is not null;

CREATE TRIGGER execution_final before update of status on execution
when old.status is not null and new.status is not old.status
begin
    select raise(abort, 'a final status never changes');
end;

CREATE UNIQUE INDEX execution_idempotency on execution (idempotency_key) where idempotency_key is not null;

CREATE UNIQUE INDEX execution_liveaction on execution (liveaction_id) where liveaction_id <> '';

CREATE INDEX execution_parent on execution (parent, started_at, id) where parent <> '';

CREATE INDEX execution_started on execution (started_at, id);

CREATE INDEX execution_workflow on execution (workflow_execution) where workflow_execution <> '';

CREATE TABLE generation (
    kind  text primary key,
    value integer not null
) without rowid;

CREATE TABLE live (
    id         text primary key,
    status     text not null check (status in ('requested', 'delayed', 'scheduled', 'running', 'canceling', 'pending', 'pausing', 'paused', 'resuming')),
    owner      text not null,
    attempt    integer not null,
    due        integer not null,
    lane       text not null,
    action_ref text not null,
    runner     text not null,
    host       text not null,
    pid        integer not null,
    revision   integer not null,
    log        text not null
) without rowid;

CREATE INDEX live_due on live (lane, action_ref, due, id, status) where status in ('requested', 'delayed');

CREATE INDEX live_owner on live (owner) where owner <> '';

CREATE TABLE node (
    incarnation text primary key,
    id          text not null,
    host        text not null,
    pid         integer not null,
    roles       text not null,
    state_dir   text not null,
    started_at  integer not null,
    lease_until integer not null,
    dead        integer not null,
    version     text not null
);

CREATE TABLE output (
    execution_id text not null,
    seq          integer not null,
    attempt      integer not null,
    id           text not null,
    action_ref   text not null,
    runner_ref   text not null,
    at           integer not null,
    type         text not null,
    data         blob,
    primary key (execution_id, seq, attempt)
) without rowid;

CREATE TABLE pack (
    id            text primary key,
    ref           text not null unique,
    name          text not null,
    hash          text not null,
    config_schema blob,
    body          blob not null
);

CREATE TABLE ping (
    only_row integer primary key check (only_row = 1),
    at       integer not null
);

CREATE TABLE post (
    seq           integer primary key autoincrement,
    id            text not null unique,
    key           text unique,
    adapter       text not null,
    workspace     text not null,
    channel       text not null,
    thread        text not null,
    execution_id  text not null,
    event_id      text not null,
    revision      integer not null,
    sent_revision integer not null,
    final         integer not null,
    stale         integer not null,
    external_id   text not null,
    state         text not null check (state in ('pending', 'sending', 'sent', 'maybe sent', 'failed')),
    owner         text not null,
    attempts      integer not null,
    not_before    integer not null,
    created_at    integer not null,
    updated_at    integer not null,
    error         text not null,
    body          blob
);

CREATE INDEX post_channel on post (adapter, workspace, channel, seq);

CREATE INDEX post_event on post (event_id) where event_id <> '';

CREATE INDEX post_execution on post (execution_id) where execution_id <> '';

CREATE INDEX post_pending on post (adapter, workspace, channel, seq) where state = 'pending';

CREATE INDEX post_sending on post (adapter, workspace, channel) where state = 'sending';

CREATE INDEX post_stale on post (seq) where stale;

CREATE INDEX post_updated on post (updated_at);

CREATE TABLE runner_type (
    id      text primary key,
    name    text not null unique,
    enabled integer not null,
    body    blob not null
);

CREATE TABLE schema (
    only_row      integer primary key check (only_row = 1),
    version       integer not null,
    oldest_reader integer not null
);

CREATE TABLE token (
    hash         text primary key,
    id           text not null unique,
    user_name    text not null,
    expires_at   integer not null,
    service      integer not null,
    execution_id text not null,
    metadata     blob
);

CREATE INDEX token_execution on token (execution_id) where execution_id <> '';

CREATE INDEX token_expires on token (expires_at);

