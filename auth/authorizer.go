package auth

import (
	"context"
	"fmt"

	"petrel"
)

// Decision is the answer to "may they", with the reason that is kept in the
// audit and told to who asks why.
type Decision struct {
	Allow  bool
	Reason string
}

// Authorizer decides. Permissions are StackStorm's names ("action_execute"),
// a resource is a uid ("action:core:local") or empty for a permission that is
// about no single thing.
type Authorizer interface {
	Decide(ctx context.Context, who Principal, permission, resource string) Decision
}

// The reasons of decisions.
const (
	reasonNobody  = "nobody is logged in"
	reasonOff     = "authentication is off, so every caller acts as the system user with all rights"
	reasonOpen    = "role based access control is off, so every authenticated user has all rights"
	reasonLocal   = "the program itself and commands with access to its state folder have all rights"
	reasonAdmin   = "the user holds the role admin"
	reasonNoGrant = "the user does not hold the role admin, and no other role grants rights yet"
)

// Rights is the built-in Authorizer.
// st2: auth-rbac: with RBAC off every authenticated user counts as admin.
type Rights struct {
	// Enforced is rbac.enable: when it is set only users who hold the role admin
	// may do anything; otherwise every authenticated user may.
	Enforced bool
}

// Decide answers from the caller alone; it asks no store.
func (r Rights) Decide(_ context.Context, who Principal, _, _ string) Decision {
	switch {
	case !who.Known():
		return Decision{Reason: reasonNobody}
	case who.Method == MethodLocal:
		return Decision{Allow: true, Reason: reasonLocal}
	case who.Method == MethodNone:
		return Decision{Allow: true, Reason: reasonOff}
	case !r.Enforced:
		return Decision{Allow: true, Reason: reasonOpen}
	case who.Admin:
		return Decision{Allow: true, Reason: reasonAdmin}
	}
	return Decision{Reason: reasonNoGrant}
}

// Denied is the error for a refused permission, in StackStorm's words.
func Denied(who Principal, permission, resource string) error {
	text := fmt.Sprintf("User \"%s\" doesn't have required permission \"%s\"", who.User, permission)
	if resource != "" {
		text += fmt.Sprintf(" on resource \"%s\"", resource)
	}
	return petrel.Errorf(petrel.Forbidden, "%s", text)
}
