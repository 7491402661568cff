package auth

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/tg123/go-htpasswd"
	"golang.org/x/crypto/bcrypt"

	"petrel"
)

// maxPassword is the longest password bcrypt takes, in bytes.
const maxPassword = 72

// maxUserName bounds names of users, in bytes.
const maxUserName = 255

// textLogin is what every refused login is told, whatever was wrong with it.
const textLogin = "Invalid or missing credentials"

// ErrLogin is a refused login.
var ErrLogin = petrel.Errorf(petrel.Unauthorized, textLogin)

// Login checks a user's password and answers with the user's name. A wrong
// one is ErrLogin, also for a user that does not exist and after the same
// time; too many wrong ones are TooMany.
func (s *Service) Login(ctx context.Context, user, password, address string) (string, error) {
	if user == "" || len(user) > maxUserName || !utf8.ValidString(user) || strings.ContainsRune(user, 0) {
		return "", ErrLogin
	}
	if err := s.shared.pace.check(user, address); err != nil {
		return "", err
	}
	// Hashing is slow on purpose: a bound keeps a flood of logins from taking all
	// processors.
	select {
	case s.shared.checking <- struct{}{}:
		defer func() { <-s.shared.checking }()
	case <-ctx.Done():
		return "", petrel.Wrap(petrel.Unavailable, ctx.Err(), "The login was given up")
	}
	// Many tries at once all find room before the first of them has failed, so
	// that each asks again when it is its turn.
	if err := s.shared.pace.check(user, address); err != nil {
		return "", err
	}
	ok, err := s.passwordFits(ctx, user, password)
	if err != nil {
		return "", err
	}
	if !ok {
		s.shared.pace.failed(user, address)
		s.cfg.Log.Warn("a login was refused", "user", user, "from", address)
		return "", ErrLogin
	}
	s.shared.pace.succeeded(user, address)
	return user, nil
}

// passwordFits asks the htpasswd file, and for users it does not know the
// store. Exactly one bcrypt hash is computed where the stored one is bcrypt or
// there is none, so that the time does not tell which users exist.
func (s *Service) passwordFits(ctx context.Context, user, password string) (bool, error) {
	if known, fits, slow := s.shared.htpasswd.match(user, password); known {
		if !slow {
			s.compareDecoy(password)
		}
		return fits, nil
	}
	u, err := s.store.User(ctx, user)
	if err != nil && !petrel.Is(err, petrel.NotFound) {
		return false, err
	}
	if err != nil || u.Password == "" {
		s.compareDecoy(password)
		return false, nil
	}
	if len(password) > maxPassword {
		s.compareDecoy(password)
		return false, nil
	}
	return bcrypt.CompareHashAndPassword([]byte(u.Password), []byte(password)) == nil, nil
}

func (s *Service) compareDecoy(password string) {
	if len(password) > maxPassword {
		password = password[:maxPassword]
	}
	_ = bcrypt.CompareHashAndPassword(s.shared.decoy, []byte(password))
}

// HashPassword is what is stored of a user's own password. It is slow on
// purpose, so it is not called within a transaction.
func (s *Service) HashPassword(password string) (string, error) {
	if len(password) < 8 || len(password) > maxPassword {
		return "", petrel.Errorf(petrel.Invalid, "The password has %d bytes, it must have 8 to %d", len(password), maxPassword)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), s.cfg.PasswordCost)
	if err != nil {
		return "", fmt.Errorf("hash the password: %w", err)
	}
	return string(hash), nil
}

// SetPassword gives a user a password of its own and makes the user when there
// is none.
func (s *Service) SetPassword(ctx context.Context, user, password string) error {
	hash, err := s.HashPassword(password)
	if err != nil {
		return err
	}
	u, err := s.ensureUser(ctx, user)
	if err != nil {
		return err
	}
	u.Password = hash
	return s.store.PutUser(ctx, u)
}

// htpasswdFile is a file of users and password hashes that is read again when
// it changes. st2: the flat_file backend.
type htpasswdFile struct {
	path string
	log  *slog.Logger

	mu      sync.Mutex
	file    *htpasswd.File
	hashes  map[string]string // user → hash, to tell who is known and how slow the hash is
	changed time.Time
	size    int64
}

// maxHtpasswd bounds the file, in bytes.
const maxHtpasswd = 16 << 20

func openHtpasswd(path string, log *slog.Logger) (*htpasswdFile, error) {
	h := &htpasswdFile{path: path, log: log}
	if err := h.load(); err != nil {
		return nil, err
	}
	return h, nil
}

func (h *htpasswdFile) load() error {
	info, err := os.Stat(h.path)
	if err != nil {
		return fmt.Errorf("read the htpasswd file: %w", err)
	}
	if info.Size() > maxHtpasswd {
		return fmt.Errorf("the htpasswd file %s has %d bytes, at most %d are read", h.path, info.Size(), maxHtpasswd)
	}
	text, err := os.ReadFile(h.path)
	if err != nil {
		return fmt.Errorf("read the htpasswd file: %w", err)
	}
	bad := 0
	// Plain text is left out of the accepted forms: a file with plain passwords is
	// a mistake, and a hash of an unknown kind must not count as one.
	parsers := []htpasswd.PasswdParser{
		htpasswd.AcceptMd5, htpasswd.AcceptSha, htpasswd.AcceptBcrypt, htpasswd.AcceptSsha,
		htpasswd.AcceptCryptSha, htpasswd.RejectPlain,
	}
	file, err := htpasswd.NewFromReader(strings.NewReader(string(text)), parsers, func(error) { bad++ })
	if err != nil {
		return fmt.Errorf("read the htpasswd file %s: %w", h.path, err)
	}
	if bad > 0 {
		h.log.Warn("the htpasswd file has lines that are not understood and were left out", "file", h.path, "lines", bad)
	}
	hashes := map[string]string{}
	for _, line := range strings.Split(string(text), "\n") {
		if user, hash, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && !strings.HasPrefix(user, "#") {
			hashes[user] = hash
		}
	}
	h.file, h.hashes, h.changed, h.size = file, hashes, info.ModTime(), info.Size()
	return nil
}

// match says whether the file knows the user, whether the password fits, and
// whether the hash was as slow as bcrypt. A nil file knows nobody.
func (h *htpasswdFile) match(user, password string) (known, fits, slow bool) {
	if h == nil {
		return false, false, false
	}
	h.mu.Lock()
	if info, err := os.Stat(h.path); err == nil && (!info.ModTime().Equal(h.changed) || info.Size() != h.size) {
		if err := h.load(); err != nil {
			// The last good state stays in force.
			h.log.Error("the changed htpasswd file cannot be read; the earlier one stays in force", "error", err)
			h.changed, h.size = info.ModTime(), info.Size()
		}
	}
	file := h.file
	hash, known := h.hashes[user]
	h.mu.Unlock()
	if !known {
		return false, false, false
	}
	return true, file.Match(user, password), strings.HasPrefix(hash, "$2")
}
