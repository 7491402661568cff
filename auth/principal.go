package auth

import (
	"context"
	"time"

	"petrel"
)

// Method is how a caller proved who they are. The words are those that
// GET /user shows.
type Method string

// The methods.
const (
	MethodToken  Method = "authentication token"
	MethodAPIKey Method = "API key"
	MethodChat   Method = "chat identity" // a linked person in a chat
	MethodNone   Method = "none"          // authentication is off; the caller is the system user
	MethodLocal  Method = "local"         // the program itself, or a command with access to the state folder
)

// Location is where in a request the credential stood.
type Location string

// The locations.
const (
	InHeader Location = "header"
	InQuery  Location = "query"
	InCookie Location = "cookie"
)

// Principal is who is calling. The zero Principal is nobody.
type Principal struct {
	User        string // name of the Petrel user
	Admin       bool   // holds the system role admin
	Service     bool   // a service account or a service token
	Method      Method
	Location    Location
	ExpiresAt   time.Time           // of the token; zero for everything else
	Chat        petrel.ChatIdentity // the person in the chat, for MethodChat
	ExecutionID petrel.ID           // the run whose own token this is
	From        string              // remote address, or channel, for the audit
	RequestID   string
}

// Known says whether somebody is calling.
func (p Principal) Known() bool { return p.User != "" }

// Audit is the entry that keeps a decision about this caller. The arguments
// are to be masked by whoever gives them.
func (p Principal) Audit(at time.Time, permission, target string, d Decision, arguments petrel.JSON) petrel.AuditEntry {
	entry := petrel.AuditEntry{
		ID: petrel.NewID(at), At: petrel.Micros(at),
		User: p.User, From: p.From, RequestID: p.RequestID,
		Action: permission, Target: target,
		Allowed: d.Allow, Reason: d.Reason, Arguments: arguments,
	}
	if p.Chat != (petrel.ChatIdentity{}) {
		entry.Chat = p.Chat.String()
	}
	return entry
}

type contextKey struct{}

// NewContext gives a context that carries the caller.
func NewContext(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// FromContext is the caller a context carries; false when it carries none.
func FromContext(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(contextKey{}).(Principal)
	return p, ok
}
