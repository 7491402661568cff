package auth_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"petrel"
	"petrel/auth"
)

// Hashes of several kinds: alice/wonder1 (bcrypt), bob/builder2 (SHA),
// carol/singer3 (apr1).
const someUsers = `alice:$2a$04$qtKKh.CeViK/lKpGmwR7TO9yxR5teXeKV4C3enk.STZdBRTR.TKUm
bob:{SHA}Mujj2tRsPFBsDvRpSSzX/HonYw8=
# a comment
carol:$apr1$abcdefgh$Kq6wfow/q/BUKoPzhdaem/
plain:plainpassword
`

func writeHtpasswd(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "htpasswd")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLogin_Table(t *testing.T) {
	s, store := newService(t, auth.Config{HtpasswdFile: writeHtpasswd(t, someUsers)})
	ctx := context.Background()
	if err := s.SetPassword(ctx, "dora", "correct horse"); err != nil {
		t.Fatal(err)
	}
	if err := s.SetPassword(ctx, "bob", "own password"); err != nil {
		t.Fatal(err)
	}
	if u, err := store.User(ctx, "dora"); err != nil || !strings.HasPrefix(u.Password, "$2") {
		t.Errorf("the password is not stored as bcrypt: %v", err)
	}
	for _, c := range []struct {
		user, password string
		ok             bool
	}{
		{"alice", "wonder1", true}, {"bob", "builder2", true}, {"carol", "singer3", true}, {"dora", "correct horse", true},
		{"alice", "wonder2", false}, {"bob", "", false}, {"carol", "singer3 ", false}, {"dora", "wonder1", false},
		{"bob", "own password", false},    // the file goes before the store
		{"plain", "plainpassword", false}, // a file with plain passwords is a mistake
		{"nobody", "wonder1", false}, {"", "", false}, {"#", " a comment", false},
		{"ALICE", "wonder1", false}, {"alice\x00", "wonder1", false}, {strings.Repeat("a", 5000), "x", false},
		{"dora", strings.Repeat("x", 100_000), false},
	} {
		_, err := s.Login(ctx, c.user, c.password, "192.0.2.1")
		if c.ok && err != nil || !c.ok && err != auth.ErrLogin {
			t.Errorf("%.20q/%.20q: %v", c.user, c.password, err)
		}
	}
	if err := s.SetPassword(ctx, "dora", "short"); !petrel.Is(err, petrel.Invalid) {
		t.Errorf("a short password: %v", err)
	}
	if err := s.SetPassword(ctx, "dora", strings.Repeat("x", 73)); !petrel.Is(err, petrel.Invalid) {
		t.Errorf("a password longer than bcrypt reads: %v", err)
	}
}

func TestLogin_HtpasswdIsReadAgain(t *testing.T) {
	file := writeHtpasswd(t, "alice:{SHA}Mujj2tRsPFBsDvRpSSzX/HonYw8=\n") // builder2
	s, _ := newService(t, auth.Config{HtpasswdFile: file})
	ctx := context.Background()
	if _, err := s.Login(ctx, "alice", "builder2", "a"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(someUsers), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Login(ctx, "alice", "wonder1", "a"); err != nil {
		t.Errorf("after the change: %v", err)
	}
	// A file that is gone keeps the last good state in force.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Login(ctx, "alice", "wonder1", "a"); err != nil {
		t.Errorf("after the removal: %v", err)
	}
}

func TestLogin_GuessingIsSlowedDown(t *testing.T) {
	clock := newClock()
	s, _ := newService(t, auth.Config{
		HtpasswdFile: writeHtpasswd(t, someUsers), Now: clock.now,
		Pace: auth.Pace{PerUserAndAddress: 5, UserAndAddress: 10 * time.Second, PerAddress: 20, PerUser: 30, Entries: 50},
	})
	ctx := context.Background()
	try := func(user, password, address string) error {
		_, err := s.Login(ctx, user, password, address)
		return err
	}
	for i := range 5 {
		if err := try("bob", "wrong", "192.0.2.1"); err != auth.ErrLogin {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	err := try("bob", "wrong", "192.0.2.1")
	if !petrel.Is(err, petrel.TooMany) || petrel.Message(err) != "Too many failed attempts. Try again in 10 seconds." {
		t.Fatalf("the sixth: %v", err)
	}
	if err := try("bob", "builder2", "192.0.2.1"); !petrel.Is(err, petrel.TooMany) {
		t.Errorf("the right password does not get past the pace: %v", err)
	}
	if err := try("bob", "builder2", "192.0.2.2"); err != nil {
		t.Errorf("the user from elsewhere is not shut out: %v", err)
	}
	clock.move(10 * time.Second)
	if err := try("bob", "builder2", "192.0.2.1"); err != nil {
		t.Errorf("after the wait: %v", err)
	}
	// One address with many names.
	var last error
	for i := range 30 {
		last = try(fmt.Sprint("user", i), "x", "192.0.2.9")
	}
	if !petrel.Is(last, petrel.TooMany) {
		t.Errorf("one address, many users: %v", last)
	}
	// One user from many addresses.
	for i := range 40 {
		last = try("carol", "x", fmt.Sprint("198.51.100.", i))
	}
	if !petrel.Is(last, petrel.TooMany) {
		t.Errorf("one user, many addresses: %v", last)
	}
	clock.move(time.Second)
	if err := try("carol", "singer3", "203.0.113.1"); err != nil {
		t.Errorf("nobody is shut out for longer than a moment: %v", err)
	}
}

func TestBootstrap_MakesTheAdminOnce(t *testing.T) {
	s, store := newService(t, auth.Config{})
	ctx := context.Background()
	user, password, err := s.Bootstrap(ctx)
	if err != nil || user != auth.AdminUser || len(password) < 20 {
		t.Fatalf("%q %q %v", user, password, err)
	}
	u, err := store.User(ctx, user)
	if err != nil || !u.Admin || strings.Contains(u.Password, password) {
		t.Fatalf("%+v %v", u, err)
	}
	if _, err := s.Login(ctx, user, password, "local"); err != nil {
		t.Errorf("the password does not work: %v", err)
	}
	if _, again, err := s.Bootstrap(ctx); again != "" || err != nil {
		t.Errorf("a second start: %q %v", again, err)
	}
	_, text, err := s.CreateToken(ctx, auth.TokenRequest{User: user})
	if err != nil {
		t.Fatal(err)
	}
	if who, err := s.Token(ctx, text, auth.InHeader); err != nil || !who.Admin {
		t.Errorf("%+v %v", who, err)
	}
}
