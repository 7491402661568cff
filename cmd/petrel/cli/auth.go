package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"petrel"
	"petrel/api/client"
	"petrel/cmd/petrel/cli/argparse"
	"petrel/expr/value"
)

// tokenOf reads the text and the end of a token out of the server's answer.
func tokenOf(v value.Value) (string, time.Time, error) {
	secret := text(v, "token")
	if secret == "" {
		return "", time.Time{}, errNoToken
	}
	expires, err := petrel.ParseTime(text(v, "expiry"))
	if err != nil {
		return "", time.Time{}, errNoToken
	}
	return secret, expires, nil
}

// password asks for a password unless one was given; on a terminal it is not shown.
func (c *call) password() (string, error) {
	if given := c.args.Text("password", ""); given != "" {
		return given, nil
	}
	fmt.Fprint(c.Err, "Password: ")
	if f, ok := c.In.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		raw, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(c.Err)
		return string(raw), err
	}
	return c.line()
}

// maxLine bounds a line that is read from standard input.
const maxLine = 4096

// line reads an answer of the user's.
func (c *call) line() (string, error) {
	line, err := bufio.NewReader(io.LimitReader(c.In, maxLine)).ReadString('\n')
	if err != nil && (!errors.Is(err, io.EOF) || line == "") {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func loginCommands() []*command {
	user := []argparse.Positional{{Name: "username", Arity: argparse.One, Help: "Name of the user to authenticate."}}
	password := argparse.Option{Names: []string{"-p", "--password"}, Arity: argparse.One, Help: "Password for the user. If password is not provided, it will be prompted for."}
	ttl := argparse.Option{Names: []string{"-l", "--ttl"}, Arity: argparse.One, Int: true, Help: "The life span of the token in seconds. Max TTL configured by the admin supersedes this."}
	help := argparse.Option{Names: []string{"-h", "--help"}, Help: "show this help message and exit"}
	formats := []argparse.Option{{Names: []string{"-j", "--json"}, Help: "Print output in JSON format."}, {Names: []string{"-y", "--yaml"}, Help: "Print output in YAML format."}}
	return []*command{{
		words: []string{"auth"}, anonymous: true,
		spec: argparse.Spec{Description: "Authenticate user and acquire access token.", Positionals: user,
			Options: options2([]argparse.Option{help}, formats, []argparse.Option{password, ttl, {Names: []string{"-t", "--only-token"}, Help: "On successful authentication, print only token to the console."}})},
		run: func(c *call) error {
			secret, err := c.password()
			if err != nil {
				return err
			}
			token, err := c.api.CreateToken(c.ctx, c.args.Text("username", ""), secret, c.args.Int("ttl", 0))
			if err != nil {
				return err
			}
			if c.args.Given("only_token") {
				c.printf("%s\n", text(token, "token"))
				return nil
			}
			return c.showOne(token, []string{"user", "token", "expiry"}, nil, nil)
		},
	}, {
		words: []string{"login"}, anonymous: true,
		spec: argparse.Spec{Description: "Authenticate user, acquire access token, and update CLI config directory", Positionals: user,
			Options: options2([]argparse.Option{help}, formats, []argparse.Option{password, ttl,
				{Names: []string{"-w", "--write-password"}, Help: "Write the password in plain text to the config file (default is to omit it)"}})},
		run: login,
	}, {
		words: []string{"whoami"},
		spec:  argparse.Spec{Description: "Display the currently authenticated user", Options: append([]argparse.Option{help}, formats...)},
		run:   whoami,
	}}
}

func login(c *call) error {
	user := c.args.Text("username", "")
	secret, err := c.password()
	if err != nil {
		return err
	}
	token, err := c.api.CreateToken(c.ctx, user, secret, c.args.Int("ttl", 0))
	if err != nil {
		return sentencef("Failed to log in as %s: %w", user, err)
	}
	tokenText, expires, err := tokenOf(token)
	if err != nil {
		return err
	}
	if err := c.writeToken(user, tokenText, expires); err != nil {
		return err
	}
	stored := ""
	if c.args.Given("write_password") {
		stored = secret
	}
	if err := c.writeCredentials(user, stored); err != nil {
		return err
	}
	c.printf("Logged in as %s\n", user)
	if stored == "" {
		hours := int(expires.Sub(c.Now()).Round(time.Hour).Hours())
		c.printf("\nNote: You didn't use --write-password option so the password hasn't been stored in the client config and you will need to login again in %d hours when the auth token expires.\n", hours)
		c.printf("As an alternative, you can run %s login command with the \"--write-password\" flag, but keep it mind this will cause it to store the password in plain-text in the client config file (~/.st2/config).\n", c.Name)
	}
	return nil
}

func whoami(c *call) error {
	answer, err := c.api.Call(c.ctx, http.MethodGet, "/user", nil, nil)
	if err != nil {
		var e *client.Error
		if errors.As(err, &e) { // whoever cannot be told is nobody; that is no failure
			c.printf("Unable to retrieve currently logged-in user\n")
			return nil
		}
		return err
	}
	d, _ := answer.Body.(*value.Dict)
	if d == nil {
		return errors.New("the server's answer is not an object")
	}
	authentication, _ := d.GetStr("authentication")
	rbac, _ := d.GetStr("rbac")
	c.printf("Currently logged in as %q.\n\n", text(d, "username"))
	c.printf("Authentication method: %s\n", text(authentication, "method"))
	if expire := text(authentication, "token_expire"); text(authentication, "method") == "authentication token" {
		c.printf("Authentication token expire time: %s\n", expire)
	}
	c.printf("\nRBAC:\n - Enabled: %s\n", text(rbac, "enabled"))
	var roles []string
	if r, ok := rbac.(*value.Dict); ok {
		all, _ := r.GetStr("roles")
		for _, role := range list(all) {
			roles = append(roles, value.Str(role))
		}
	}
	c.printf(" - Roles: %s\n", strings.Join(roles, ", "))
	return nil
}
