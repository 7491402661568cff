package petrel

import "time"

// User is a person or a service known to Petrel.
type User struct {
	ID        ID
	Name      string
	IsService bool
	Admin     bool              // holds the system role admin; the only right of its own until roles exist
	Nicknames map[string]string // chat identity "adapter:workspace" → user id there
	Password  string            // bcrypt hash of the user's password in Petrel; empty when the user has none here
	CreatedAt time.Time
}

// ChatIdentity is a person in a chat service, "adapter:workspace:user".
type ChatIdentity struct {
	Adapter   string // slack, discord, console
	Workspace string // team, guild; "local" for the console
	User      string // the service's id of the person
}

// String is the form `petrel user link` takes.
func (c ChatIdentity) String() string { return c.Adapter + ":" + c.Workspace + ":" + c.User }

// Token is a credential that expires. Only a hash of its text is stored.
// st2: st2common/st2common/models/api/auth.py
type Token struct {
	ID          ID
	User        string
	Hash        string // hex SHA-256 of the token's text
	ExpiresAt   time.Time
	Metadata    JSON
	Service     bool
	ExecutionID ID // the run it was made for; it dies with the run
}

// APIKey is a credential without an end. Only a hash is stored.
// st2: st2common/st2common/models/api/auth.py
type APIKey struct {
	ID        ID
	UID       string // api_key:<hash>
	User      string
	Hash      string // hex SHA-512 of salt and key, StackStorm's, so that its rows can be loaded
	Metadata  JSON
	Enabled   bool
	CreatedAt time.Time
}

// Node is a running Petrel process. Nothing else is heartbeated: all that a
// process owns names the node's incarnation.
type Node struct {
	ID          ID
	Incarnation string // drawn at each registration; what owners are called
	Host        string
	PID         int
	Roles       []string
	StateDir    string // the folder it holds a lock on, empty for none
	StartedAt   time.Time
	LeaseUntil  time.Time // by the database's clock
	Dead        bool      // marked by a sweeper
	Version     string
}

// AuditEntry says who did or was refused what. It is written in the
// transaction of the change it tells of and never changes.
type AuditEntry struct {
	ID        ID        `json:"id"`
	At        time.Time `json:"-"`
	User      string    `json:"user"`           // the Petrel user, empty when unknown
	Chat      string    `json:"chat,omitempty"` // chat identity, when it came from a chat
	From      string    `json:"from,omitempty"` // remote address, or channel
	Action    string    `json:"action"`         // the permission asked for, such as action_execute
	Target    string    `json:"target"`         // uid or id of what it is about
	Allowed   bool      `json:"allowed"`
	Reason    string    `json:"reason"`              // the authorizer's
	Arguments JSON      `json:"arguments,omitempty"` // secrets masked
	RequestID string    `json:"request_id,omitempty"`
}
