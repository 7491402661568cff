package app

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Login is what a server leaves in its state folder for the command line of
// its owner: where it listens and a key to it. The file is readable by its owner only.
type Login struct {
	URL    string `json:"url"` // without path
	User   string `json:"user"`
	APIKey string `json:"api_key"` // empty where authentication is off
	PID    int    `json:"pid"`     // of the last server that wrote it
}

const loginFile = "login.json"

// ReadLogin reads the login of a state folder.
func ReadLogin(state string) (Login, error) {
	var l Login
	raw, err := os.ReadFile(filepath.Join(state, loginFile))
	if err != nil {
		return l, err
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		return l, fmt.Errorf("%s: %w", filepath.Join(state, loginFile), err)
	}
	return l, nil
}

// writeLogin replaces the login; a crash leaves the old or the new one.
func writeLogin(state string, l Login) error {
	raw, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(state, loginFile)
	if err := os.WriteFile(path+".tmp", append(raw, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
