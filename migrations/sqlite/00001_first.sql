-- +goose Up
-- Times are microseconds since 1970. Columns of type blob hold users' values
-- behind a mark byte (storage/rows). Text columns compare by bytes.

create table schema (
    only_row      integer primary key check (only_row = 1),
    version       integer not null,
    oldest_reader integer not null
);
insert into schema values (1, 1, 1);

create table ping (
    only_row integer primary key check (only_row = 1),
    at       integer not null
);
insert into ping values (1, 0);

-- Copies of actions and runner types as they were when a run was requested, by
-- content hash. used: the newest run that refers to it, give or take an hour.
create table doc (
    hash text primary key,
    used integer not null,
    body blob not null
) without rowid;

-- The record of a run, written at request and at finish. status is null while
-- the run has a row in live.
create table execution (
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
create index execution_started on execution (started_at, id);
create index execution_action on execution (action_ref, started_at, id);
create unique index execution_liveaction on execution (liveaction_id) where liveaction_id <> '';
create unique index execution_idempotency on execution (idempotency_key) where idempotency_key is not null;
create index execution_parent on execution (parent, started_at, id) where parent <> '';
create index execution_workflow on execution (workflow_execution) where workflow_execution <> '';
create index execution_ended on execution (ended_at, id) where parent = '' and status is not null;
-- +goose StatementBegin
create trigger execution_final before update of status on execution
when old.status is not null and new.status is not old.status
begin
    select raise(abort, 'a final status never changes');
end;
-- +goose StatementEnd

-- The moving part of a run, gone when it is final. due: not claimed before.
create table live (
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
create index live_due on live (lane, action_ref, due, id, status) where status in ('requested', 'delayed');
create index live_owner on live (owner) where owner <> '';

create table output (
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

-- The counter of each kind of content, raised by every change of it.
create table generation (
    kind  text primary key,
    value integer not null
) without rowid;

create table pack (
    id            text primary key,
    ref           text not null unique,
    name          text not null,
    hash          text not null,
    config_schema blob,
    body          blob not null
);
create table runner_type (
    id      text primary key,
    name    text not null unique,
    enabled integer not null,
    body    blob not null
);
create table action (
    id      text primary key,
    ref     text not null unique,
    pack    text not null,
    name    text not null,
    enabled integer not null,
    body    blob not null
);
create index action_pack on action (pack, name);
create table action_alias (
    id      text primary key,
    ref     text not null unique,
    pack    text not null,
    name    text not null,
    enabled integer not null,
    body    blob not null
);
create index action_alias_pack on action_alias (pack, name);
create index action_alias_name on action_alias (name);
create table config (
    id     text primary key,
    pack   text not null unique,
    body blob
);

create table account (
    id         text primary key,
    name       text not null unique,
    is_service integer not null,
    admin      integer not null,
    password   text not null, -- bcrypt
    created_at integer not null
);
create table chat_link (
    adapter   text not null,
    workspace text not null,
    chat_user text not null,
    user_name text not null,
    primary key (adapter, workspace, chat_user)
) without rowid;
create index chat_link_user on chat_link (user_name);
create table token (
    hash         text primary key,
    id           text not null unique,
    user_name    text not null,
    expires_at   integer not null,
    service      integer not null,
    execution_id text not null,
    metadata     blob
);
create index token_execution on token (execution_id) where execution_id <> '';
create index token_expires on token (expires_at);
create table api_key (
    id         text primary key,
    hash       text not null unique,
    uid        text not null,
    user_name  text not null,
    enabled    integer not null,
    created_at integer not null,
    metadata   blob
);

create table node (
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

-- What came from chats, in the order it was stored (seq).
create table chat_event (
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
create index chat_event_new on chat_event (seq) where state = 'new';
create index chat_event_stored on chat_event (stored_at) where state = 'done';

-- What goes to chats. stale: the run changed since body was rendered.
create table post (
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
create index post_channel on post (adapter, workspace, channel, seq);
create index post_pending on post (adapter, workspace, channel, seq) where state = 'pending';
create index post_sending on post (adapter, workspace, channel) where state = 'sending';
create index post_stale on post (seq) where stale;
create index post_execution on post (execution_id) where execution_id <> '';
create index post_event on post (event_id) where event_id <> '';
create index post_updated on post (updated_at);

-- Who did what. Rows cannot be changed or removed.
create table audit (
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
create index audit_user on audit (user_name, seq);
create index audit_target on audit (target, seq);
-- +goose StatementBegin
create trigger audit_no_update before update on audit
begin
    select raise(abort, 'audit entries cannot be changed');
end;
-- +goose StatementEnd
-- +goose StatementBegin
create trigger audit_no_delete before delete on audit
begin
    select raise(abort, 'audit entries cannot be removed');
end;
-- +goose StatementEnd
