package auth

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"strings"
)

// AdminUser is the name of the user the first start makes.
const AdminUser = "admin"

// Bootstrap makes the user AdminUser with a random password at the first
// start, which is when the store knows no user that holds the role admin. It
// answers with the user's name and the password, which is not stored in the
// clear and never told again; both are empty when there is nothing to do. The
// password's hash is kept in the store.
func (s *Service) Bootstrap(ctx context.Context) (user, password string, err error) {
	users, err := s.store.UserList(ctx)
	if err != nil {
		return "", "", err
	}
	for _, u := range users {
		if u.Admin {
			return "", "", nil
		}
	}
	password = newPassword()
	if err := s.SetPassword(ctx, AdminUser, password); err != nil {
		return "", "", err
	}
	u, err := s.store.User(ctx, AdminUser)
	if err != nil {
		return "", "", err
	}
	u.Admin = true
	if err := s.store.PutUser(ctx, u); err != nil {
		return "", "", err
	}
	return AdminUser, password, nil
}

// newPassword draws 100 random bits as four groups of letters and digits that
// are hard to confuse.
func newPassword() string {
	var raw [13]byte
	if _, err := rand.Read(raw[:]); err != nil {
		panic("auth: the system has no random numbers: " + err.Error())
	}
	text := strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw[:]))[:20]
	return text[:5] + "-" + text[5:10] + "-" + text[10:15] + "-" + text[15:]
}
