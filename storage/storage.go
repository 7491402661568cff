// Package storage is the contract of the store: what an installation keeps,
// one interface per noun, and the promises every implementation gives. The
// suite in storagetest checks them; storage/sqlite and storage/postgres are
// the implementations.
//
// The row is the truth. Every method is one transaction (or, for a batch, one
// that is cut in halves until a faulty member stands alone); when it returns
// without error what it wrote is durable. Methods that take a slice answer for
// each element by position, and one bad member never fails the others.
//
// Times that decide ownership or are due (leases, delays, Retry-After) are
// compared with the database's clock. Times of record come from the caller.
//
// Errors carry a petrel.Kind: NotFound, Conflict (with the id in the way),
// NotOwner (the fence: no row changed because somebody else owns it, or it is
// final), Invalid (a value the database cannot hold, naming the field), Unavailable (the
// database is away, read-only, full, or answers too late), Unknown (a commit
// was sent and its outcome could not be learned by looking up the ids).
package storage

import (
	"context"
	"time"

	"petrel"
)

// Store is everything an installation keeps.
type Store interface {
	Executions
	Outputs
	Content
	Identities
	Nodes
	Chats
	Audits

	// InTx runs content and administration changes as one transaction: the
	// methods of the given Admin all take part in it. It is not for the hot path.
	// The function may be run again when the transaction has to be repeated, and
	// must not call the Store itself (refused as Internal).
	InTx(ctx context.Context, do func(ctx context.Context, tx Admin) error) error

	// Now is the database's clock.
	Now(ctx context.Context) (time.Time, error)
	// Ping says whether a write would be taken now: it proves a connection, that
	// the database is writable and that the schema is one this program reads.
	Ping(ctx context.Context) error
	// Close ends all connections; what was answered is stored.
	Close() error
}

// Admin is the part of the store that InTx hands out.
type Admin interface {
	Content
	Identities
	Audits
}

// Limits bound what one call to a hot-path method takes into one transaction;
// larger slices are cut.
const (
	MaxBatchRows  = 500
	MaxBatchBytes = 8 << 20
)

// NewExecution is a run to be stored, with all that must be stored or not
// stored together with it.
type NewExecution struct {
	// Execution has ID, LiveActionID, Action, Runner, Status (requested, delayed,
	// or a final one for a run refused while its parameters were rendered),
	// StartedAt, Parameters, Context, User, Parent, Delay, Notify, Callback, Lane,
	// Depth and IdempotencyKey set.
	Execution petrel.Execution
	// Due is the earliest time of a claim by the database's clock, as a wait from
	// now; zero is at once.
	Due time.Duration
	// Event is the chat event this run answers; it is marked done in the same
	// transaction, and a run for an event that is already done is refused with Conflict.
	// Several runs of one call may answer the same event (an alias that matches more than once).
	Event petrel.ID
	// EventOwner is the incarnation that must own the event (the fence).
	EventOwner string
	// Posts are messages that show the run, such as its acknowledgement.
	Posts []petrel.Post
	// Audit are the entries about the decision that allowed the run.
	Audit []petrel.AuditEntry
	// Token is the run's own credential, stored as a hash.
	Token *petrel.Token
}

// Requested answers for one NewExecution.
type Requested struct {
	ID       petrel.ID // of the stored run; the earlier one when Existing
	Existing bool      // the idempotency key was seen before
	Err      error
}

// Claim asks for work.
type Claim struct {
	Owner string // incarnation
	Host  string // stored for runner_info
	PID   int
	// IDs are the runs a message named; those that are not claimable are left out
	// of the answer without error. Empty: take the oldest due rows.
	IDs []petrel.ID
	// Lanes to take from, in order of preference; inside a lane round-robin over
	// action refs, oldest first. Empty is all lanes.
	Lanes []petrel.Lane
	Limit int
	// Straight names runners without side effects: their runs go from requested
	// to running in the claim itself.
	Straight []string
	At       time.Time // for the log
}

// Start commits "running" before the first side effect.
type Start struct {
	ID      petrel.ID
	Owner   string
	Attempt int
	At      time.Time
	// Token is the attempt's own credential; it is stored when the start succeeds.
	Token *petrel.Token
}

// Finish ends an attempt.
type Finish struct {
	ID      petrel.ID
	Owner   string
	Attempt int
	Status  petrel.Status // a final one, or pending/paused for a run that waits
	Result  petrel.JSON
	At      time.Time
	// MergeContext are keys set in the execution's context, a JSON object; nil for none.
	MergeContext petrel.JSON
}

// Cancel asks for the end of a run.
type Cancel struct {
	ID petrel.ID
	By string
	At time.Time
	// Result replaces the run's result ({message, user}); it is shown while canceling too.
	Result petrel.JSON
	Audit  []petrel.AuditEntry
}

// StatusChange sets a status from outside the owner (API PUT: pause, resume,
// a result delivered by a remote runner).
type StatusChange struct {
	ID           petrel.ID
	From         []petrel.Status // it must be in one of these, else Conflict; empty: any that is not final and may legally become Status
	Status       petrel.Status
	Result       petrel.JSON // nil keeps what is there
	MergeContext petrel.JSON
	At           time.Time
	Audit        []petrel.AuditEntry
}

// Swept tells what became of the runs of dead nodes.
type Swept struct {
	Requeued  []petrel.ID // claimed and not started, or without side effects
	Abandoned []petrel.ID // started; the outcome is unknown
	Canceled  []petrel.ID // their cancellation was asked before the node died
}

// ExecutionFilter selects runs; zero fields do not filter. Lists mean any of.
type ExecutionFilter struct {
	IDs               []petrel.ID
	ActionRefs        []petrel.Ref
	Statuses          []petrel.Status
	LiveActionIDs     []petrel.ID
	Parents           []petrel.ID
	TopLevel          bool // parent does not exist
	HasParent         bool
	Runners           []string
	Users             []string
	From, To          time.Time // StartedAt, inclusive
	After, Before     time.Time // StartedAt, exclusive
	WorkflowExecution petrel.ID
	IdempotencyKey    string

	Ascending bool // by StartedAt, then id; default newest first
	// OrderBy is another column to order by (in the direction Ascending says, rows
	// that share a value by id, oldest first): id, action, status, runner, user,
	// parent or liveaction. Empty: StartedAt. It excludes AfterID.
	OrderBy string
	Limit   int // 0: no limit
	Offset  int
	// AfterID continues behind a row of the same order (keyset); it goes before Offset.
	AfterID petrel.ID
	// OmitResult leaves Result out of the answer (ResultSize stays).
	OmitResult bool
	// NoTotal saves the count; the total is then -1.
	NoTotal bool
}

// Executions keeps the runs and their moving parts.
type Executions interface {
	// Request stores runs. A repeated idempotency key answers with the first run's id.
	Request(ctx context.Context, batch []NewExecution) []Requested
	// Claim gives due runs to an owner: attempt + 1, status scheduled (or running,
	// see Straight). At most Limit rows; the answer has parameters and context, no result.
	Claim(ctx context.Context, c Claim) ([]petrel.Execution, error)
	// Start answers NotOwner when the attempt is no longer the owner's, was
	// canceled, or already runs.
	Start(ctx context.Context, batch []Start) []error
	// Finish writes the result and the final status in one transaction, marks the
	// run's posts to be rendered again, deletes its tokens and (for a final status) its moving part. NotOwner
	// when the attempt is no longer the owner's. A status of canceling becomes canceled
	// when the finish says canceled, otherwise what the finish says.
	Finish(ctx context.Context, batch []Finish) []error
	// Cancel: not started → canceled at once (posts are marked, tokens deleted);
	// running → canceling, owner is to be told; canceled → unchanged; else Conflict.
	// It answers with the run as it is then, and the owner to tell (empty for none).
	Cancel(ctx context.Context, c Cancel) (petrel.Execution, string, error)
	// SetStatus changes a status from outside.
	SetStatus(ctx context.Context, c StatusChange) (petrel.Execution, error)
	// Sweep takes the runs of nodes that are marked dead away from them: scheduled
	// ones are requested again, running ones end as abandoned with the given
	// result, except those of the runners named in straight, which are requested again.
	Sweep(ctx context.Context, at time.Time, abandoned petrel.JSON, straight []string, limit int) (Swept, error)
	// Canceling lists the runs an owner holds whose cancellation was asked.
	Canceling(ctx context.Context, owner string) ([]petrel.ID, error)
	// Held lists the runs an owner holds that have not ended: it asks after a
	// claim whose answer was lost, and to hear of what was done from outside.
	Held(ctx context.Context, owner string) ([]Held, error)
	// NextDue is how long from now, by the database's clock, the next delayed run
	// is due; false when none waits. Runs that are due already do not count.
	NextDue(ctx context.Context) (time.Duration, bool, error)
	// QueueDepth counts runs that wait, by lane.
	QueueDepth(ctx context.Context) (map[petrel.Lane]int, error)

	// Execution is one run, whole. NotFound.
	Execution(ctx context.Context, id petrel.ID) (petrel.Execution, error)
	// ExecutionList gives the runs that pass and how many pass without Limit and Offset.
	ExecutionList(ctx context.Context, f ExecutionFilter) ([]petrel.Execution, int, error)
	// ExecutionValues lists the distinct values of a column: action, status,
	// runner, user.
	ExecutionValues(ctx context.Context, column string) ([]string, error)
	// PurgeExecutions removes whole trees of final runs that ended before a time,
	// with output, posts and docs nobody refers to, at most limit roots; it answers how many roots.
	PurgeExecutions(ctx context.Context, before time.Time, limit int) (int, error)
}

// Held is a run in the hands of an owner.
type Held struct {
	ID      petrel.ID
	Attempt int
	Status  petrel.Status
}

// Outputs keeps what running actions print.
type Outputs interface {
	// AppendOutput stores chunks; those of an attempt that is not the owner's any
	// more are refused with NotOwner.
	AppendOutput(ctx context.Context, owner string, batch []petrel.OutputChunk) []error
	// OutputList gives the chunks of a run behind a sequence number, in order. An
	// empty type is all types.
	OutputList(ctx context.Context, execution petrel.ID, kind string, after int64, limit int) ([]petrel.OutputChunk, error)
}

// Kind names a sort of content, with a generation of its own.
type Kind string

// The kinds of content.
const (
	KindPack   Kind = "pack"
	KindAction Kind = "action"
	KindAlias  Kind = "action_alias"
	KindRunner Kind = "runner_type"
	KindConfig Kind = "config"
	KindRights Kind = "rights" // users, links, keys
)

// ContentFilter selects content; zero fields do not filter.
type ContentFilter struct {
	IDs     []petrel.ID
	Packs   []string
	Names   []string
	Refs    []petrel.Ref
	Enabled *bool
	Limit   int // 0: no limit
	Offset  int
}

// PackContent is a pack as it was read, to be stored whole: what the store has
// of that pack and is not named here is removed. Ids of things that exist stay.
type PackContent struct {
	Pack    petrel.Pack
	Actions []petrel.Action
	Aliases []petrel.Alias
}

// Content keeps packs and what they carry. Every change raises the generation
// of its kind in the same transaction. Lists are ordered by pack, name and come with the total.
type Content interface {
	// Generations gives each kind's counter; a reader whose copy is older loads again.
	Generations(ctx context.Context) (map[Kind]int64, error)

	// PutPackContent registers a pack whole. Content of another pack that has
	// the same global name (aliases) does not stand in the way.
	PutPackContent(ctx context.Context, c PackContent) error
	PutPack(ctx context.Context, p petrel.Pack) error
	Pack(ctx context.Context, refOrID string) (petrel.Pack, error)
	PackList(ctx context.Context, f ContentFilter) ([]petrel.Pack, int, error)
	// DeletePack removes a pack and all it carries.
	DeletePack(ctx context.Context, ref string) error

	PutRunnerTypes(ctx context.Context, all []petrel.RunnerType) error // keeps Enabled of those that exist
	SetRunnerEnabled(ctx context.Context, name string, enabled bool) error
	RunnerType(ctx context.Context, nameOrID string) (petrel.RunnerType, error)
	RunnerTypeList(ctx context.Context, f ContentFilter) ([]petrel.RunnerType, int, error)

	// CreateAction answers Conflict with the id of the one that exists.
	CreateAction(ctx context.Context, a petrel.Action) error
	UpdateAction(ctx context.Context, a petrel.Action) error // by ID
	DeleteAction(ctx context.Context, id petrel.ID) error
	Action(ctx context.Context, refOrID string) (petrel.Action, error)
	ActionList(ctx context.Context, f ContentFilter) ([]petrel.Action, int, error)

	CreateAlias(ctx context.Context, a petrel.Alias) error
	UpdateAlias(ctx context.Context, a petrel.Alias) error
	DeleteAlias(ctx context.Context, id petrel.ID) error
	Alias(ctx context.Context, refOrID string) (petrel.Alias, error)
	AliasByName(ctx context.Context, name string) (petrel.Alias, error)
	AliasList(ctx context.Context, f ContentFilter) ([]petrel.Alias, int, error)

	PutConfig(ctx context.Context, c petrel.Config) error
	Config(ctx context.Context, pack string) (petrel.Config, error)
	ConfigList(ctx context.Context, f ContentFilter) ([]petrel.Config, int, error)
}

// Identities keeps who may call.
type Identities interface {
	// PutUser makes or changes a user by name. Nicknames, when not nil, become all
	// of the user's chat identities; one that stands for another user is a Conflict.
	PutUser(ctx context.Context, u petrel.User) error
	User(ctx context.Context, name string) (petrel.User, error)
	UserList(ctx context.Context) ([]petrel.User, error)
	// LinkChat makes a chat identity stand for a user; one user per identity, so a
	// link it had goes. NotFound for the user.
	LinkChat(ctx context.Context, c petrel.ChatIdentity, user string) error
	UnlinkChat(ctx context.Context, c petrel.ChatIdentity) error
	// ChatIdentities lists the identities that stand for a user, in order.
	ChatIdentities(ctx context.Context, user string) ([]petrel.ChatIdentity, error)
	// ChatUser is the user a chat identity stands for. NotFound.
	ChatUser(ctx context.Context, c petrel.ChatIdentity) (petrel.User, error)

	CreateToken(ctx context.Context, t petrel.Token) error
	// Token finds a token by its hash, expired or not. NotFound.
	Token(ctx context.Context, hash string) (petrel.Token, error)
	DeleteToken(ctx context.Context, hash string) error
	PurgeTokens(ctx context.Context, expiredBefore time.Time, limit int) (int, error)

	CreateAPIKey(ctx context.Context, k petrel.APIKey) error // Conflict for a hash or id that exists
	UpdateAPIKey(ctx context.Context, k petrel.APIKey) error // by ID
	DeleteAPIKey(ctx context.Context, id petrel.ID) error
	// APIKey finds a key by id or hash.
	APIKey(ctx context.Context, idOrHash string) (petrel.APIKey, error)
	APIKeyList(ctx context.Context, limit, offset int) ([]petrel.APIKey, int, error)
}

// Nodes keeps which processes are alive.
type Nodes interface {
	// RegisterNode stores a node with a lease from now by the database's clock.
	// Live nodes of the same Host that name the same StateDir (and it is not empty)
	// are marked dead at once: the caller holds the folder's lock.
	RegisterNode(ctx context.Context, n petrel.Node, lease time.Duration) error
	// RenewNode pushes the lease. NotOwner when the node was marked dead. It
	// runs on a connection of its own, so that slow work does not cost the lease.
	RenewNode(ctx context.Context, incarnation string, lease time.Duration) error
	// RetireNode marks the node dead at its own wish (after a drain).
	RetireNode(ctx context.Context, incarnation string) error
	// MarkDead marks the nodes whose lease ran out and answers their incarnations.
	MarkDead(ctx context.Context) ([]string, error)
	NodeList(ctx context.Context) ([]petrel.Node, error)
}

// Chats keeps what came from chats and what goes there.
type Chats interface {
	// PutChatEvents stores events; Existing in the answer says that the key was
	// seen before (within the dedup window, 24 h) and ID is then the first one's.
	PutChatEvents(ctx context.Context, batch []petrel.ChatEvent) []Requested
	// ClaimChatEvents gives new events without a living owner to an owner, oldest first.
	ClaimChatEvents(ctx context.Context, owner string, ids []petrel.ID, limit int) ([]petrel.ChatEvent, error)
	// FinishChatEvent marks an event done without a run (help, an error, a
	// refusal), with the messages that answer it. NotOwner when it is not the owner's.
	FinishChatEvent(ctx context.Context, id petrel.ID, owner, outcome string, posts []petrel.Post, audit []petrel.AuditEntry) error
	ChatEvent(ctx context.Context, id petrel.ID) (petrel.ChatEvent, error)
	// HeldChats lists what an owner holds: events that are not done and posts in
	// state sending. It asks after a claim whose outcome it could not learn.
	HeldChats(ctx context.Context, owner string) ([]petrel.ChatEvent, []petrel.Post, error)

	// PutPosts stores new messages; one with a key that exists is left alone and
	// answered with Existing.
	PutPosts(ctx context.Context, batch []petrel.Post) []Requested
	// RevisePost replaces the body: revision + 1, state pending; a post that is
	// being sent stays in state sending, and becomes pending when its sender reports.
	// With final no further revision is taken (Conflict). Without final the post of a
	// run that has ended stays stale: the body may have been rendered before the end.
	RevisePost(ctx context.Context, id petrel.ID, body petrel.JSON, final bool) (petrel.Post, error)
	// StalePosts are posts whose run changed since their body was rendered.
	StalePosts(ctx context.Context, limit int) ([]petrel.Post, error)
	// ClaimPosts gives pending posts to a sender: per channel only one living node
	// sends at a time, oldest first, those whose NotBefore has passed; state sending. A post that is
	// to be tried again holds back the younger ones of its channel until then.
	ClaimPosts(ctx context.Context, owner string, adapters []string, limit int) ([]petrel.Post, error)
	// PostSent records what became of one sending of a revision: sent with the
	// service's id, or to be tried again not before a time, or failed. NotOwner
	// when the post is not the sender's.
	PostSent(ctx context.Context, id petrel.ID, owner string, revision int, s Sent) error
	// SweepPosts takes claims of dead senders away: their posts in state sending become
	// pending again with State PostMaybeSent remembered in the answer, so that the new sender looks before it posts.
	SweepPosts(ctx context.Context, limit int) ([]petrel.Post, error)
	Post(ctx context.Context, id petrel.ID) (petrel.Post, error)
	// PostList gives the posts of a channel behind an id, oldest first.
	PostList(ctx context.Context, f PostFilter) ([]petrel.Post, error)
	// PurgeChats removes events that were done and posts that came to rest before a
	// time, at most limit of each; it answers how many.
	PurgeChats(ctx context.Context, before time.Time, limit int) (int, error)
}

// Sent is the outcome of a sending.
type Sent struct {
	State      petrel.PostState // sent, pending (try again), failed, maybe sent
	ExternalID string
	RetryIn    time.Duration
	Error      string
}

// PostFilter selects posts; zero fields do not filter.
type PostFilter struct {
	Adapter, Workspace, Channel string
	ExecutionID                 petrel.ID
	EventID                     petrel.ID
	After                       petrel.ID
	Newest                      bool // the newest ones, still oldest first
	Limit                       int
}

// AuditFilter selects audit entries; zero fields do not filter. Newest first.
type AuditFilter struct {
	User, Action, Target string
	Allowed              *bool
	From, To             time.Time
	AfterID              petrel.ID
	Limit                int
}

// Audits keeps who did what. Entries cannot be changed or removed.
type Audits interface {
	AppendAudit(ctx context.Context, entries ...petrel.AuditEntry) error
	AuditList(ctx context.Context, f AuditFilter) ([]petrel.AuditEntry, error)
}
