-- +goose Up
-- Times are microseconds since 1970. Columns of type bytea hold users' values
-- behind a mark byte (storage/rows). Text columns compare by bytes.

create table schema (
    only_row      integer primary key check (only_row = 1),
    version       bigint not null,
    oldest_reader bigint not null
);
insert into schema values (1, 1, 1);

create table ping (
    only_row integer primary key check (only_row = 1),
    at       bigint not null
);
insert into ping values (1, 0);

-- One row for each transaction that writes, made with a key of the writer, so that
-- it can learn what became of a commit whose answer was lost.
create table receipt (
    id text collate "C" primary key,
    at bigint not null
);
create index receipt_at on receipt (at);

-- Copies of actions and runner types as they were when a run was requested, by
-- content hash. used: the newest run that refers to it, give or take an hour.
create table doc (
    hash text collate "C" primary key,
    used bigint not null,
    body bytea not null
);

-- The record of a run, written at request and at finish. status is null while
-- the run has a row in live.
create table execution (
    id                 text collate "C" primary key,
    liveaction_id      text collate "C" not null,
    action_ref         text collate "C" not null,
    action_doc         text collate "C" not null,
    runner             text collate "C" not null,
    runner_doc         text collate "C" not null,
    status             text collate "C" check (status in ('succeeded', 'failed', 'timeout', 'abandoned', 'canceled')),
    started_at         bigint not null,
    ended_at           bigint not null,
    user_name          text collate "C" not null,
    parent             text collate "C" not null,
    delay              bigint not null,
    lane               text collate "C" not null,
    depth              bigint not null,
    idempotency_key    text collate "C",
    attempt            bigint not null,
    host               text collate "C" not null,
    pid                bigint not null,
    workflow_execution text collate "C" not null,
    task_execution     text collate "C" not null,
    result_size        bigint not null,
    revision           bigint not null,
    log                text collate "C" not null,
    parameters         bytea,
    context            bytea,
    result             bytea,
    notify             bytea,
    callback           bytea
);
create index execution_started on execution (started_at, id);
create index execution_action on execution (action_ref, started_at, id);
create unique index execution_liveaction on execution (liveaction_id) where liveaction_id <> '';
create unique index execution_idempotency on execution (idempotency_key) where idempotency_key is not null;
create index execution_parent on execution (parent, started_at, id) where parent <> '';
create index execution_workflow on execution (workflow_execution) where workflow_execution <> '';
create index execution_ended on execution (ended_at, id) where parent = '' and status is not null;
-- +goose StatementBegin
create function refuse() returns trigger language plpgsql as $$
begin
    raise exception '%', tg_argv[0] using errcode = 'restrict_violation';
end $$;
-- +goose StatementEnd
create trigger execution_final before update of status on execution for each row
    when (old.status is not null and new.status is distinct from old.status)
    execute function refuse('a final status never changes');

-- The moving part of a run, gone when it is final. due: not claimed before.
-- No index holds a column that changes between claim and finish, so that those
-- updates stay on their page (HOT); a claim steps over the few rows at work.
create table live (
    id         text collate "C" primary key,
    status     text collate "C" not null check (status in ('requested', 'delayed', 'scheduled', 'running', 'canceling', 'pending', 'pausing', 'paused', 'resuming')),
    owner      text collate "C" not null,
    attempt    bigint not null,
    due        bigint not null,
    lane       text collate "C" not null,
    action_ref text collate "C" not null,
    runner     text collate "C" not null,
    host       text collate "C" not null,
    pid        bigint not null,
    revision   bigint not null,
    log        text collate "C" not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
create index live_due on live (lane, action_ref, due, id);

create table output (
    execution_id text collate "C" not null,
    seq          bigint not null,
    attempt      bigint not null,
    id           text collate "C" not null,
    action_ref   text collate "C" not null,
    runner_ref   text collate "C" not null,
    at           bigint not null,
    type         text collate "C" not null,
    data         bytea,
    primary key (execution_id, seq, attempt)
);

-- The counter of each kind of content, raised by every change of it.
create table generation (
    kind  text collate "C" primary key,
    value bigint not null
);

create table pack (
    id            text collate "C" primary key,
    ref           text collate "C" not null unique,
    name          text collate "C" not null,
    hash          text collate "C" not null,
    config_schema bytea,
    body          bytea not null
);
create table runner_type (
    id      text collate "C" primary key,
    name    text collate "C" not null unique,
    enabled boolean not null,
    body    bytea not null
);
create table action (
    id      text collate "C" primary key,
    ref     text collate "C" not null unique,
    pack    text collate "C" not null,
    name    text collate "C" not null,
    enabled boolean not null,
    body    bytea not null
);
create index action_pack on action (pack, name);
create table action_alias (
    id      text collate "C" primary key,
    ref     text collate "C" not null unique,
    pack    text collate "C" not null,
    name    text collate "C" not null,
    enabled boolean not null,
    body    bytea not null
);
create index action_alias_pack on action_alias (pack, name);
create index action_alias_name on action_alias (name);
create table config (
    id     text collate "C" primary key,
    pack   text collate "C" not null unique,
    body bytea
);

create table account (
    id         text collate "C" primary key,
    name       text collate "C" not null unique,
    is_service boolean not null,
    admin      boolean not null,
    password   text collate "C" not null, -- bcrypt
    created_at bigint not null
);
create table chat_link (
    adapter   text collate "C" not null,
    workspace text collate "C" not null,
    chat_user text collate "C" not null,
    user_name text collate "C" not null,
    primary key (adapter, workspace, chat_user)
);
create index chat_link_user on chat_link (user_name);
create table token (
    hash         text collate "C" primary key,
    id           text collate "C" not null unique,
    user_name    text collate "C" not null,
    expires_at   bigint not null,
    service      boolean not null,
    execution_id text collate "C" not null,
    metadata     bytea
);
create index token_execution on token (execution_id) where execution_id <> '';
create index token_expires on token (expires_at);
create table api_key (
    id         text collate "C" primary key,
    hash       text collate "C" not null unique,
    uid        text collate "C" not null,
    user_name  text collate "C" not null,
    enabled    boolean not null,
    created_at bigint not null,
    metadata   bytea
);

create table node (
    incarnation text collate "C" primary key,
    id          text collate "C" not null,
    host        text collate "C" not null,
    pid         bigint not null,
    roles       text collate "C" not null,
    state_dir   text collate "C" not null,
    started_at  bigint not null,
    lease_until bigint not null,
    dead        boolean not null,
    version     text collate "C" not null
);

-- What came from chats, in the order it was stored (seq).
create table chat_event (
    seq       bigint generated always as identity primary key,
    id        text collate "C" not null unique,
    key       text collate "C" unique,
    adapter   text collate "C" not null,
    workspace text collate "C" not null,
    chat_user text collate "C" not null,
    channel   text collate "C" not null,
    thread    text collate "C" not null,
    kind      text collate "C" not null,
    at        bigint not null,
    stored_at bigint not null,
    owner     text collate "C" not null,
    attempt   bigint not null,
    state     text collate "C" not null check (state in ('new', 'done')),
    outcome   text collate "C" not null,
    text      bytea,
    payload   bytea
);
create index chat_event_new on chat_event (seq) where state = 'new';
create index chat_event_stored on chat_event (stored_at) where state = 'done';

-- What goes to chats. stale: the run changed since body was rendered.
create table post (
    seq           bigint generated always as identity primary key,
    id            text collate "C" not null unique,
    key           text collate "C" unique,
    adapter       text collate "C" not null,
    workspace     text collate "C" not null,
    channel       text collate "C" not null,
    thread        text collate "C" not null,
    execution_id  text collate "C" not null,
    event_id      text collate "C" not null,
    revision      bigint not null,
    sent_revision bigint not null,
    final         boolean not null,
    stale         boolean not null,
    external_id   text collate "C" not null,
    state         text collate "C" not null check (state in ('pending', 'sending', 'sent', 'maybe sent', 'failed')),
    owner         text collate "C" not null,
    attempts      bigint not null,
    not_before    bigint not null,
    created_at    bigint not null,
    updated_at    bigint not null,
    error         text collate "C" not null,
    body          bytea
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
    seq          bigint generated always as identity primary key,
    id           text collate "C" not null unique,
    at           bigint not null,
    user_name    text collate "C" not null,
    chat         text collate "C" not null,
    came_from    text collate "C" not null,
    action       text collate "C" not null,
    target       text collate "C" not null,
    allowed      boolean not null,
    reason       text collate "C" not null,
    request_id   text collate "C" not null,
    arguments    bytea
);
create index audit_user on audit (user_name, seq);
create index audit_target on audit (target, seq);
create trigger audit_no_change before update or delete on audit for each row
    execute function refuse('audit entries cannot be changed or removed');
