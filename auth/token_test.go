package auth_test

import (
	"context"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/auth"
)

func TestToken_LivesAndEnds(t *testing.T) {
	clock := newClock()
	s, store := newService(t, auth.Config{Now: clock.now, TokenTTL: time.Hour})
	ctx := context.Background()
	token, text, err := s.CreateToken(ctx, auth.TokenRequest{User: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := hex.DecodeString(text); err != nil || len(raw) != 16 || strings.ToLower(text) != text {
		t.Errorf("the token %q is not 32 lower-case hex digits", text)
	}
	if strings.Contains(token.Hash, text) || token.Hash != auth.HashToken(text) {
		t.Error("what is stored is not a hash")
	}
	if _, err := store.User(ctx, "ann"); err != nil {
		t.Errorf("the first login makes the user: %v", err)
	}
	who, err := s.Token(ctx, text, auth.InHeader)
	if err != nil || who.User != "ann" || who.Method != auth.MethodToken || who.Location != auth.InHeader || !who.ExpiresAt.Equal(clock.now().Add(time.Hour)) {
		t.Fatalf("%+v, %v", who, err)
	}
	clock.move(time.Hour - time.Microsecond)
	if _, err := s.Token(ctx, text, auth.InHeader); err != nil {
		t.Errorf("a moment before its end: %v", err)
	}
	clock.move(time.Microsecond)
	if _, err := s.Token(ctx, text, auth.InHeader); petrel.Message(err) != "Unauthorized - Token has expired." {
		t.Errorf("at its end: %v", err)
	}
	if valid, err := s.ValidToken(ctx, text); valid || err != nil {
		t.Errorf("validate: %v %v", valid, err)
	}
}

func TestToken_RefusedTexts(t *testing.T) {
	s, _ := newService(t, auth.Config{})
	for name, text := range map[string]string{
		"unknown": strings.Repeat("0", 32), "short": "bad", "a megabyte": strings.Repeat("a", 1<<20), "not text": "\xff\xfe", "NUL": "a\x00b",
	} {
		_, err := s.Token(context.Background(), text, auth.InHeader)
		if !petrel.Is(err, petrel.Unauthorized) || petrel.Message(err) != "Unauthorized" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestToken_TTLRules(t *testing.T) {
	s, _ := newService(t, auth.Config{TokenTTL: time.Hour})
	for _, c := range []struct {
		ttl  int64
		want string
	}{
		{3600, ""}, {1, ""},
		{3601, "TTL specified 3601 is greater than max allowed 3600."},
		{1 << 62, "TTL specified 4611686018427387904 is greater than max allowed 3600."},
		{0, "0 is less than the minimum of 1"}, {-5, "-5 is less than the minimum of 1"},
	} {
		token, _, err := s.CreateToken(context.Background(), auth.TokenRequest{User: "ann", TTL: &c.ttl})
		if petrelText(err) != c.want || c.want != "" && !petrel.Is(err, petrel.Invalid) {
			t.Errorf("ttl %d: %v", c.ttl, err)
		}
		if c.want == "" && token.ExpiresAt.IsZero() {
			t.Errorf("ttl %d: no end", c.ttl)
		}
	}
}

func petrelText(err error) string {
	if err == nil {
		return ""
	}
	return petrel.Message(err)
}

func TestToken_Impersonation(t *testing.T) {
	s, store := newService(t, auth.Config{})
	ctx := context.Background()
	put := func(u petrel.User) {
		t.Helper()
		u.ID, u.CreatedAt = petrel.NewID(time.Now()), time.Now()
		if err := store.PutUser(ctx, u); err != nil {
			t.Fatal(err)
		}
	}
	put(petrel.User{Name: "ann"})
	put(petrel.User{Name: "hubot", IsService: true})
	put(petrel.User{Name: "cy", Nicknames: map[string]string{"slack:T1": "U1"}})
	for _, c := range []struct {
		name string
		r    auth.TokenRequest
		user string
		want string
	}{
		{"nobody else", auth.TokenRequest{User: "ann"}, "ann", ""},
		{"not a service", auth.TokenRequest{User: "ann", As: "cy"}, "", "Current user is not a service and cannot request impersonated tokens"},
		{"a service", auth.TokenRequest{User: "hubot", As: "cy"}, "cy", ""},
		{"unknown caller", auth.TokenRequest{User: "nn", As: "cy"}, "", "Could not locate user nn"},
		{"by nickname", auth.TokenRequest{User: "hubot", Nickname: "U1", Origin: "slack:T1"}, "cy", ""},
		{"no origin", auth.TokenRequest{User: "hubot", Nickname: "U1"}, "", "Nickname origin is not provided for nickname 'U1'"},
		{"unknown nickname", auth.TokenRequest{User: "hubot", Nickname: "U9", Origin: "slack:T1"}, "", "Could not locate user U9@slack:T1"},
	} {
		token, _, err := s.CreateToken(ctx, c.r)
		if token.User != c.user || petrelText(err) != c.want {
			t.Errorf("%s: %q, %v", c.name, token.User, err)
		}
	}
}

func TestToken_OfADeletedUserStandsForNobody(t *testing.T) {
	s, store := newService(t, auth.Config{})
	ctx := context.Background()
	token := petrel.Token{ID: petrel.NewID(time.Now()), User: "gone", Hash: auth.HashToken("x"), ExpiresAt: time.Now().Add(time.Hour)}
	if err := store.CreateToken(ctx, token); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(ctx, "x", auth.InHeader); !petrel.Is(err, petrel.Unauthorized) {
		t.Errorf("%v", err)
	}
	// A run may belong to a user that never logged in.
	run, text := s.NewExecutionToken(petrel.NewID(time.Now()), "never", 0)
	if !run.Service || run.ExecutionID == "" || !run.ExpiresAt.After(time.Now().Add(23*time.Hour)) {
		t.Errorf("%+v", run)
	}
	if err := store.CreateToken(ctx, run); err != nil {
		t.Fatal(err)
	}
	who, err := s.Token(ctx, text, auth.InHeader)
	if err != nil || who.User != "never" || !who.Service || who.Admin || who.ExecutionID != run.ExecutionID {
		t.Errorf("%+v, %v", who, err)
	}
	if err := s.RevokeToken(ctx, text); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(ctx, text, auth.InHeader); err == nil {
		t.Error("a revoked token works")
	}
	if err := s.RevokeToken(ctx, text); err != nil {
		t.Errorf("revoking twice: %v", err)
	}
}

func TestAPIKey_FormAndHash(t *testing.T) {
	s, store := newService(t, auth.Config{})
	ctx := context.Background()
	// The hash StackStorm makes of "bad", as its error for an unknown key shows it.
	const hash = "029f9833b60be4945063aa0c74a5992c9ae59b3b50929c474d238aa78f7a57d2adc447d77aaaf46f033c8cc97f47d220f2fd6ba1cbf5177751fd47f5d749b69e"
	if got := auth.HashAPIKey("bad"); got != hash {
		t.Errorf("hash of bad is %s", got)
	}
	if _, err := s.Key(ctx, "bad", auth.InHeader); petrel.Message(err) != "Unauthorized - ApiKey with key_hash="+hash+" not found." {
		t.Errorf("unknown key: %v", err)
	}
	key, text, err := s.CreateAPIKey(ctx, auth.APIKeyRequest{User: "ann", Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(text) != 86 || strings.ContainsAny(text, "+/=") {
		t.Errorf("the key %q has not StackStorm's form", text)
	}
	if stored, err := store.APIKey(ctx, key.Hash); err != nil || stored.Hash == text || stored.Hash != auth.HashAPIKey(text) {
		t.Errorf("stored: %+v, %v", stored, err)
	}
	who, err := s.Key(ctx, text, auth.InQuery)
	if err != nil || who.User != "ann" || who.Method != auth.MethodAPIKey || who.Location != auth.InQuery {
		t.Errorf("%+v, %v", who, err)
	}
	for name, ref := range map[string]string{"id": string(key.ID), "text": text} {
		if found, err := s.APIKey(ctx, ref); err != nil || found.ID != key.ID {
			t.Errorf("by %s: %+v, %v", name, found, err)
		}
	}
	if _, err := s.UpdateAPIKey(ctx, key, auth.APIKeyRequest{User: "ann", Hash: "other"}); petrel.Message(err) != "Update of key_hash is not allowed." {
		t.Errorf("another hash: %v", err)
	}
	if _, err := s.UpdateAPIKey(ctx, key, auth.APIKeyRequest{User: "ann", Hash: auth.Masked}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Key(ctx, text, auth.InHeader); petrel.Message(err) != "Unauthorized - API key is disabled." {
		t.Errorf("disabled: %v", err)
	}
	loaded, text2, err := s.CreateAPIKey(ctx, auth.APIKeyRequest{User: "bob", Hash: auth.HashAPIKey("from elsewhere"), Enabled: true})
	if err != nil || text2 != "" {
		t.Fatalf("loaded: %q %v", text2, err)
	}
	if who, err := s.Key(ctx, "from elsewhere", auth.InHeader); err != nil || who.User != "bob" {
		t.Errorf("loaded %s: %+v, %v", loaded.ID, who, err)
	}
	if _, _, err := s.CreateAPIKey(ctx, auth.APIKeyRequest{User: "eve", Hash: loaded.Hash, Enabled: true}); !petrel.Is(err, petrel.Conflict) {
		t.Errorf("the same hash again: %v", err)
	}
}
