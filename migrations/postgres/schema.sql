-- What the migrations of this folder lead to; written by: go test ./migrations -update

table account
    id text collate C not null
    name text collate C not null
    is_service boolean not null
    admin boolean not null
    password text collate C not null
    created_at bigint not null
    constraint account_name_key UNIQUE (name)
    constraint account_pkey PRIMARY KEY (id)
    UNIQUE INDEX account_name_key ON account USING btree (name)
    UNIQUE INDEX account_pkey ON account USING btree (id)
table action
    id text collate C not null
    ref text collate C not null
    pack text collate C not null
    name text collate C not null
    enabled boolean not null
    body bytea not null
    constraint action_pkey PRIMARY KEY (id)
    constraint action_ref_key UNIQUE (ref)
    INDEX action_pack ON action USING btree (pack, name)
    UNIQUE INDEX action_pkey ON action USING btree (id)
    UNIQUE INDEX action_ref_key ON action USING btree (ref)
table action_alias
    id text collate C not null
    ref text collate C not null
    pack text collate C not null
    name text collate C not null
    enabled boolean not null
    body bytea not null
    constraint action_alias_pkey PRIMARY KEY (id)
    constraint action_alias_ref_key UNIQUE (ref)
    INDEX action_alias_name ON action_alias USING btree (name)
    INDEX action_alias_pack ON action_alias USING btree (pack, name)
    UNIQUE INDEX action_alias_pkey ON action_alias USING btree (id)
    UNIQUE INDEX action_alias_ref_key ON action_alias USING btree (ref)
table api_key
    id text collate C not null
    hash text collate C not null
    uid text collate C not null
    user_name text collate C not null
    enabled boolean not null
    created_at bigint not null
    metadata bytea
    constraint api_key_hash_key UNIQUE (hash)
    constraint api_key_pkey PRIMARY KEY (id)
    UNIQUE INDEX api_key_hash_key ON api_key USING btree (hash)
    UNIQUE INDEX api_key_pkey ON api_key USING btree (id)
table audit
    seq bigint not null identity
    id text collate C not null
    at bigint not null
    user_name text collate C not null
    chat text collate C not null
    came_from text collate C not null
    action text collate C not null
    target text collate C not null
    allowed boolean not null
    reason text collate C not null
    request_id text collate C not null
    arguments bytea
    constraint audit_id_key UNIQUE (id)
    constraint audit_pkey PRIMARY KEY (seq)
    INDEX audit_target ON audit USING btree (target, seq)
    INDEX audit_user ON audit USING btree (user_name, seq)
    UNIQUE INDEX audit_id_key ON audit USING btree (id)
    UNIQUE INDEX audit_pkey ON audit USING btree (seq)
    TRIGGER audit_no_change BEFORE DELETE OR UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION refuse('audit entries cannot be changed or removed')
table chat_event
    seq bigint not null identity
    id text collate C not null
    key text collate C
    adapter text collate C not null
    workspace text collate C not null
    chat_user text collate C not null
    channel text collate C not null
    thread text collate C not null
    kind text collate C not null
    at bigint not null
    stored_at bigint not null
    owner text collate C not null
    attempt bigint not null
    state text collate C not null
    outcome text collate C not null
    text bytea
    payload bytea
    constraint chat_event_id_key UNIQUE (id)
    constraint chat_event_key_key UNIQUE (key)
    constraint chat_event_pkey PRIMARY KEY (seq)
    constraint chat_event_state_check CHECK ((state = ANY (ARRAY['new'::text, 'done'::text])))
    INDEX chat_event_new ON chat_event USING btree (seq) WHERE (state = 'new'::text)
    INDEX chat_event_stored ON chat_event USING btree (stored_at) WHERE (state = 'done'::text)
    UNIQUE INDEX chat_event_id_key ON chat_event USING btree (id)
    UNIQUE INDEX chat_event_key_key ON chat_event USING btree (key)
    UNIQUE INDEX chat_event_pkey ON chat_event USING btree (seq)
table chat_link
    adapter text collate C not null
    workspace text collate C not null
    chat_user text collate C not null
    user_name text collate C not null
    constraint chat_link_pkey PRIMARY KEY (adapter, workspace, chat_user)
    INDEX chat_link_user ON chat_link USING btree (user_name)
    UNIQUE INDEX chat_link_pkey ON chat_link USING btree (adapter, workspace, chat_user)
table config
    id text collate C not null
    pack text collate C not null
    body bytea
    constraint config_pack_key UNIQUE (pack)
    constraint config_pkey PRIMARY KEY (id)
    UNIQUE INDEX config_pack_key ON config USING btree (pack)
    UNIQUE INDEX config_pkey ON config USING btree (id)
table doc
    hash text collate C not null
    used bigint not null
    body bytea not null
    constraint doc_pkey PRIMARY KEY (hash)
    UNIQUE INDEX doc_pkey ON doc USING btree (hash)
table execution
    id text collate C not null
    liveaction_id text collate C not null
    action_ref text collate C not null
    action_doc text collate C not null
    runner text collate C not null
    runner_doc text collate C not null
    status text collate C
    started_at bigint not null
    ended_at bigint not null
    user_name text collate C not null
    parent text collate C not null
    delay bigint not null
    lane text collate C not null
    depth bigint not null
    idempotency_key text collate C
    attempt bigint not null
    host text collate C not null
    pid bigint not null
    workflow_execution text collate C not null
    task_execution text collate C not null
    result_size bigint not null
    revision bigint not null
    log text collate C not null
    parameters bytea
    context bytea
    result bytea
    notify bytea
    callback bytea
    constraint execution_pkey PRIMARY KEY (id)
    constraint execution_status_check CHECK ((status = ANY (ARRAY['succeeded'::text, 'failed'::text, 'timeout'::text, 'abandoned'::text, 'canceled'::text])))
    INDEX execution_action ON execution USING btree (action_ref, started_at, id)
    INDEX execution_ended ON execution USING btree (ended_at, id) WHERE ((parent = ''::text) AND (status IS NOT NULL))
    INDEX execution_parent ON execution USING btree (parent, started_at, id) WHERE (parent <> ''::text)
    INDEX execution_started ON execution USING btree (started_at, id)
    INDEX execution_workflow ON execution USING btree (workflow_execution) WHERE (workflow_execution <> ''::text)
    UNIQUE INDEX execution_idempotency ON execution USING btree (idempotency_key) WHERE (idempotency_key IS NOT NULL)
    UNIQUE INDEX execution_liveaction ON execution USING btree (liveaction_id) WHERE (liveaction_id <> ''::text)
    UNIQUE INDEX execution_pkey ON execution USING btree (id)
    TRIGGER execution_final BEFORE UPDATE OF status ON execution FOR EACH ROW WHEN (((old.status IS NOT NULL) AND (new.status IS DISTINCT FROM old.status))) EXECUTE FUNCTION refuse('a final status never changes')
table generation
    kind text collate C not null
    value bigint not null
    constraint generation_pkey PRIMARY KEY (kind)
    UNIQUE INDEX generation_pkey ON generation USING btree (kind)
table live with (fillfactor=50, autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_threshold=500)
    id text collate C not null
    status text collate C not null
    owner text collate C not null
    attempt bigint not null
    due bigint not null
    lane text collate C not null
    action_ref text collate C not null
    runner text collate C not null
    host text collate C not null
    pid bigint not null
    revision bigint not null
    log text collate C not null
    constraint live_pkey PRIMARY KEY (id)
    constraint live_status_check CHECK ((status = ANY (ARRAY['requested'::text, 'delayed'::text, 'scheduled'::text, 'running'::text, 'canceling'::text, 'pending'::text, 'pausing'::text, 'paused'::text, 'resuming'::text])))
    INDEX live_due ON live USING btree (lane, action_ref, due, id)
    UNIQUE INDEX live_pkey ON live USING btree (id)
table node
    incarnation text collate C not null
    id text collate C not null
    host text collate C not null
    pid bigint not null
    roles text collate C not null
    state_dir text collate C not null
    started_at bigint not null
    lease_until bigint not null
    dead boolean not null
    version text collate C not null
    constraint node_pkey PRIMARY KEY (incarnation)
    UNIQUE INDEX node_pkey ON node USING btree (incarnation)
table output
    execution_id text collate C not null
    seq bigint not null
    attempt bigint not null
    id text collate C not null
    action_ref text collate C not null
    runner_ref text collate C not null
    at bigint not null
    type text collate C not null
    data bytea
    constraint output_pkey PRIMARY KEY (execution_id, seq, attempt)
    UNIQUE INDEX output_pkey ON output USING btree (execution_id, seq, attempt)
table pack
    id text collate C not null
    ref text collate C not null
    name text collate C not null
    hash text collate C not null
    config_schema bytea
    body bytea not null
    constraint pack_pkey PRIMARY KEY (id)
    constraint pack_ref_key UNIQUE (ref)
    UNIQUE INDEX pack_pkey ON pack USING btree (id)
    UNIQUE INDEX pack_ref_key ON pack USING btree (ref)
table ping
    only_row integer not null
    at bigint not null
    constraint ping_only_row_check CHECK ((only_row = 1))
    constraint ping_pkey PRIMARY KEY (only_row)
    UNIQUE INDEX ping_pkey ON ping USING btree (only_row)
table post
    seq bigint not null identity
    id text collate C not null
    key text collate C
    adapter text collate C not null
    workspace text collate C not null
    channel text collate C not null
    thread text collate C not null
    execution_id text collate C not null
    event_id text collate C not null
    revision bigint not null
    sent_revision bigint not null
    final boolean not null
    stale boolean not null
    external_id text collate C not null
    state text collate C not null
    owner text collate C not null
    attempts bigint not null
    not_before bigint not null
    created_at bigint not null
    updated_at bigint not null
    error text collate C not null
    body bytea
    constraint post_id_key UNIQUE (id)
    constraint post_key_key UNIQUE (key)
    constraint post_pkey PRIMARY KEY (seq)
    constraint post_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'sending'::text, 'sent'::text, 'maybe sent'::text, 'failed'::text])))
    INDEX post_channel ON post USING btree (adapter, workspace, channel, seq)
    INDEX post_event ON post USING btree (event_id) WHERE (event_id <> ''::text)
    INDEX post_execution ON post USING btree (execution_id) WHERE (execution_id <> ''::text)
    INDEX post_pending ON post USING btree (adapter, workspace, channel, seq) WHERE (state = 'pending'::text)
    INDEX post_sending ON post USING btree (adapter, workspace, channel) WHERE (state = 'sending'::text)
    INDEX post_stale ON post USING btree (seq) WHERE stale
    INDEX post_updated ON post USING btree (updated_at)
    UNIQUE INDEX post_id_key ON post USING btree (id)
    UNIQUE INDEX post_key_key ON post USING btree (key)
    UNIQUE INDEX post_pkey ON post USING btree (seq)
table receipt
    id text collate C not null
    at bigint not null
    constraint receipt_pkey PRIMARY KEY (id)
    INDEX receipt_at ON receipt USING btree (at)
    UNIQUE INDEX receipt_pkey ON receipt USING btree (id)
table runner_type
    id text collate C not null
    name text collate C not null
    enabled boolean not null
    body bytea not null
    constraint runner_type_name_key UNIQUE (name)
    constraint runner_type_pkey PRIMARY KEY (id)
    UNIQUE INDEX runner_type_name_key ON runner_type USING btree (name)
    UNIQUE INDEX runner_type_pkey ON runner_type USING btree (id)
table schema
    only_row integer not null
    version bigint not null
    oldest_reader bigint not null
    constraint schema_only_row_check CHECK ((only_row = 1))
    constraint schema_pkey PRIMARY KEY (only_row)
    UNIQUE INDEX schema_pkey ON schema USING btree (only_row)
table token
    hash text collate C not null
    id text collate C not null
    user_name text collate C not null
    expires_at bigint not null
    service boolean not null
    execution_id text collate C not null
    metadata bytea
    constraint token_id_key UNIQUE (id)
    constraint token_pkey PRIMARY KEY (hash)
    INDEX token_execution ON token USING btree (execution_id) WHERE (execution_id <> ''::text)
    INDEX token_expires ON token USING btree (expires_at)
    UNIQUE INDEX token_id_key ON token USING btree (id)
    UNIQUE INDEX token_pkey ON token USING btree (hash)
