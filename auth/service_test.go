package auth_test

import (
	"context"
	"strings"
	"testing"

	"petrel"
	"petrel/auth"
)

func TestNew_RefusesWhatCannotWork(t *testing.T) {
	_, store := newService(t, auth.Config{})
	for name, c := range map[string]struct {
		cfg  auth.Config
		want string
	}{
		"no store":             {auth.Config{}, "Store is required"},
		"unknown mode":         {auth.Config{Store: store, Mode: "ldap"}, "ldap is not a valid auth mode"},
		"rights without auth":  {auth.Config{Store: store, Enforced: true, Disabled: true}, "needs auth.enable"},
		"no htpasswd file":     {auth.Config{Store: store, HtpasswdFile: "/nowhere/htpasswd"}, "htpasswd"},
		"a token that is over": {auth.Config{Store: store, TokenTTL: 1}, "token_ttl"},
	} {
		_, err := auth.New(c.cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestDecide_SaysWhy(t *testing.T) {
	var (
		nobody = auth.Principal{}
		user   = auth.Principal{User: "ann", Method: auth.MethodToken}
		admin  = auth.Principal{User: "ada", Admin: true, Method: auth.MethodAPIKey}
		off    = auth.Principal{User: "stanley", Admin: true, Method: auth.MethodNone}
		local  = auth.Principal{User: "stanley", Method: auth.MethodLocal}
	)
	for _, c := range []struct {
		name     string
		enforced bool
		who      auth.Principal
		allow    bool
		reason   string
	}{
		{"nobody, rights off", false, nobody, false, "nobody is logged in"},
		{"nobody, rights on", true, nobody, false, "nobody is logged in"},
		{"user, rights off", false, user, true, "every authenticated user has all rights"},
		{"user, rights on", true, user, false, "does not hold the role admin"},
		{"admin, rights on", true, admin, true, "holds the role admin"},
		{"authentication off", false, off, true, "authentication is off"},
		{"the program itself", true, local, true, "the program itself"},
	} {
		d := auth.Rights{Enforced: c.enforced}.Decide(context.Background(), c.who, "action_execute", "action:core:noop")
		if d.Allow != c.allow || !strings.Contains(d.Reason, c.reason) {
			t.Errorf("%s: %+v", c.name, d)
		}
	}
	err := auth.Denied(user, "action_view", "action:core:local")
	if got := petrel.Message(err); got != `User "ann" doesn't have required permission "action_view" on resource "action:core:local"` {
		t.Errorf("denied: %s", got)
	}
	if got := petrel.Message(auth.Denied(user, "action_list", "")); got != `User "ann" doesn't have required permission "action_list"` {
		t.Errorf("denied: %s", got)
	}
}

func TestChat_UnlinkedPersonIsToldHow(t *testing.T) {
	s, store := newService(t, auth.Config{})
	ctx := context.Background()
	person := petrel.ChatIdentity{Adapter: "slack", Workspace: "T1", User: "U7"}
	_, err := s.Chat(ctx, person, "C3")
	if !petrel.Is(err, petrel.Unauthorized) || !strings.Contains(petrel.Message(err), "petrel user link slack:T1:U7 NAME") {
		t.Fatalf("unlinked: %v", err)
	}
	if err := s.SetPassword(ctx, "ann", "long enough"); err != nil {
		t.Fatal(err)
	}
	if err := store.LinkChat(ctx, person, "ann"); err != nil {
		t.Fatal(err)
	}
	who, err := s.Chat(ctx, person, "C3")
	if err != nil || who.User != "ann" || who.Admin || who.Chat != person || who.From != "C3" || who.Method != auth.MethodChat {
		t.Fatalf("linked: %+v, %v", who, err)
	}
	if _, err := s.Chat(ctx, petrel.ChatIdentity{Adapter: "slack", Workspace: "T2", User: "U7"}, ""); err == nil {
		t.Error("the same user id in another workspace is somebody else")
	}
}

func TestContext_CarriesTheCaller(t *testing.T) {
	if _, ok := auth.FromContext(context.Background()); ok {
		t.Error("an empty context has a caller")
	}
	ctx := auth.NewContext(context.Background(), auth.Principal{User: "ann"})
	if who, ok := auth.FromContext(ctx); !ok || who.User != "ann" {
		t.Errorf("%+v %v", who, ok)
	}
}
