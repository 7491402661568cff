package petrel

import "time"

// ChatEvent is a line, click or other thing that came from a chat service,
// stored before it is acknowledged to the service.
type ChatEvent struct {
	ID       ID
	Key      string // dedup key: adapter, workspace and the service's event id
	Adapter  string
	Identity ChatIdentity
	Channel  string
	Thread   string // empty at top level
	Kind     string // line, click
	Text     string // of a line; the action id of a click
	Payload  JSON   // the neutral event as the adapter understood it
	At       time.Time
	Owner    string // incarnation of the node that handles it
	Attempt  int
	State    ChatEventState
	Outcome  string // how it was handled, for why
}

// ChatEventState is where a stored chat event stands.
type ChatEventState string

// The states of a chat event.
const (
	ChatEventNew  ChatEventState = "new"
	ChatEventDone ChatEventState = "done"
)

// PostState is where an outbound message stands.
type PostState string

// The states of a post. Pending means its newest revision was not sent yet.
const (
	PostPending   PostState = "pending"
	PostSending   PostState = "sending"
	PostSent      PostState = "sent"
	PostMaybeSent PostState = "maybe sent" // the sender died in the sending window
	PostFailed    PostState = "failed"
)

// Post is a message to a channel. It is one row with a revision: an
// acknowledgement becomes the reply by raising the revision, and only the
// newest revision is sent.
type Post struct {
	ID           ID     // the delivery id that is looked for after a crash
	Key          string // what the post answers; one post per key. Empty = no dedup
	Adapter      string
	Workspace    string
	Channel      string
	Thread       string
	ExecutionID  ID     // the run whose state it shows, empty for none
	EventID      ID     // the chat event it answers
	Revision     int    // raised by every change of Body
	SentRevision int    // the last one the service took
	Final        bool   // closed to progress
	Body         JSON   // the neutral message (bot)
	ExternalID   string // the service's id of the message, set by the first sending
	State        PostState
	Owner        string // incarnation of the sender
	Attempts     int
	NotBefore    time.Time // Retry-After
	CreatedAt    time.Time
	UpdatedAt    time.Time
	Error        string
}
