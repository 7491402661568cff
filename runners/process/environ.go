package process

import (
	"os"
	"strings"

	"petrel"
)

// Environment is what a process of a job starts with: this process's own
// environment without Petrel's settings and credentials, then the user's
// variables, then the job's (ST2_ACTION_*), later ones over earlier ones.
func (h *Host) Environment(user, job map[string]string) ([]string, error) {
	inherited := os.Environ()
	env := make([]string, 0, len(inherited)+len(user)+len(job))
	for _, e := range inherited {
		name, _, _ := strings.Cut(e, "=")
		if !private(name) {
			env = append(env, e)
		}
	}
	for name, text := range user {
		if err := h.checkVariable(name, text); err != nil {
			return nil, err
		}
		env = append(env, name+"="+text)
	}
	for name, text := range job {
		env = append(env, name+"="+text)
	}
	return env, nil
}

// private says whether a variable is Petrel's own business: where its store
// is, and with which password.
func private(name string) bool {
	switch name {
	case "DATABASE_URL", "REDIS_URL":
		return true
	}
	return strings.HasPrefix(name, "PETREL_") || strings.HasPrefix(name, "ST2_ACTION_")
}

// loaders are variables that change which code a program runs before it looks
// at anything else. A parameter that may set them makes of every action one
// that runs any code.
var loaders = map[string]bool{"BASH_ENV": true, "IFS": true, "SHELLOPTS": true, "BASHOPTS": true, "PS4": true}

func (h *Host) checkVariable(name, text string) error {
	switch {
	case name == "" || strings.ContainsAny(name, "=\x00"):
		return petrel.Errorf(petrel.Invalid, "parameter env: %q cannot be the name of an environment variable", cut(name))
	case strings.IndexByte(text, 0) >= 0:
		return petrel.Errorf(petrel.Invalid, "parameter env: the value of %q holds a null byte", cut(name))
	case h.loaderEnv:
		return nil
	case loaders[name] || strings.HasPrefix(name, "LD_") || strings.HasPrefix(name, "DYLD_") || strings.HasPrefix(name, "BASH_FUNC_"):
		return petrel.Errorf(petrel.Invalid, "parameter env: %s changes which code programs load and is not permitted here", cut(name))
	}
	return nil
}

// cut shortens text from outside for a message.
func cut(text string) string {
	if len(text) > 200 {
		return strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}
