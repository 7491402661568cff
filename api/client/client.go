// Package client speaks to a StackStorm-compatible server: Petrel's own or
// StackStorm's. Answers keep the order of their keys.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"petrel/expr/value"
)

// maxAnswer bounds what one answer may hold.
const maxAnswer = 256 << 20

// Config says where the server is and who is calling.
type Config struct {
	API    string // with version: http://127.0.0.1:9101/v1
	Auth   string // http://127.0.0.1:9100
	Stream string // with version
	Token  string // goes before APIKey
	APIKey string
	// BasicAuth is user:password for a proxy in front; it goes with every call but the one for a token.
	BasicAuth string
	// CACert is a file of certificates to trust, or a word for yes or no; empty
	// does not check certificates, as st2client.
	CACert string
	// Debug, when set, is told of each request as a curl command, secrets masked, and of each answer.
	Debug   io.Writer
	Timeout time.Duration // of one call, streams apart; default 5 minutes
}

// Client calls a server.
type Client struct {
	cfg  Config
	http *http.Client
	// number tells this client's lines from another's in a debug output.
	number uint64
}

var clients atomic.Uint64

// New makes a client.
func New(cfg Config) (*Client, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Minute
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	switch strings.ToLower(cfg.CACert) {
	case "", "false", "0", "f", "no":
		// st2client does not check certificates unless it is told which to trust.
		transport.TLSClientConfig.InsecureSkipVerify = true
	case "true", "1", "t", "y", "yes":
	default:
		pem, err := os.ReadFile(cfg.CACert)
		if err != nil {
			return nil, fmt.Errorf("the CA certificate cannot be read: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", cfg.CACert)
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	return &Client{cfg: cfg, number: clients.Add(1), http: &http.Client{Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// Config is what the client was made of.
func (c *Client) Config() Config { return c.cfg }

// Error is an answer that says no.
type Error struct {
	Status int
	Reason string // the status in words
	Fault  string // the server's faultstring, empty when it sent none
	URL    string
}

// Error is the text st2client prints.
func (e *Error) Error() string {
	side := "Client"
	if e.Status >= 500 {
		side = "Server"
	}
	text := fmt.Sprintf("%d %s Error: %s", e.Status, side, e.Reason)
	if e.Fault != "" {
		text += "\nMESSAGE: " + e.Fault
	}
	return text + " for url: " + e.URL
}

// NotFound says whether the server does not have what was asked for.
func NotFound(err error) bool {
	e, ok := err.(*Error)
	return ok && e.Status == http.StatusNotFound
}

// Answer is what the server said.
type Answer struct {
	Status int
	Header http.Header
	Body   value.Value // nil when there was none
	Raw    []byte
}

// Query is an ordered list of query parameters; the order is part of what
// error texts show.
type Query [][2]string

// Add appends a parameter unless its value is empty.
func (q *Query) Add(name, v string) {
	if v != "" {
		*q = append(*q, [2]string{name, v})
	}
}

func (q Query) encode() string {
	parts := make([]string, len(q))
	for i, kv := range q {
		parts[i] = url.QueryEscape(kv[0]) + "=" + url.QueryEscape(kv[1])
	}
	return strings.Join(parts, "&")
}

// Call sends a request to the API: path begins with a slash and stands behind
// the version; body is sent as JSON, nil sends none. An answer that says no is an *Error.
func (c *Client) Call(ctx context.Context, method, path string, q Query, body value.Value) (*Answer, error) {
	return c.send(ctx, method, c.cfg.API+path, q, body, true)
}

// CreateToken asks the auth service for a token; ttl 0 leaves its life to the server.
func (c *Client) CreateToken(ctx context.Context, user, password string, ttl int) (value.Value, error) {
	body := value.NewDict()
	if ttl > 0 {
		body.SetStr("ttl", int64(ttl))
	}
	ctx = context.WithValue(ctx, basicKey{}, user+":"+password)
	a, err := c.send(ctx, http.MethodPost, c.cfg.Auth+"/tokens", nil, body, false)
	if err != nil {
		return nil, err
	}
	return a.Body, nil
}

type basicKey struct{}

func (c *Client) request(ctx context.Context, method, target string, q Query, body value.Value, login bool) (*http.Request, error) {
	if len(q) > 0 {
		target += "?" + q.encode()
	}
	var payload []byte
	var reader io.Reader
	if body != nil {
		raw, err := value.ToJSON(body, value.CompactJSON)
		if err != nil {
			return nil, err
		}
		payload, reader = raw, bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, reader)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "*/*")
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	basic, _ := ctx.Value(basicKey{}).(string)
	if login {
		if c.cfg.Token != "" {
			req.Header.Set("X-Auth-Token", c.cfg.Token)
		}
		if c.cfg.APIKey != "" {
			req.Header.Set("St2-Api-Key", c.cfg.APIKey)
		}
		basic = c.cfg.BasicAuth
	}
	if basic != "" {
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(basic)))
	}
	c.debugRequest(req, payload)
	return req, nil
}

func (c *Client) send(ctx context.Context, method, target string, q Query, body value.Value, login bool) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	req, err := c.request(ctx, method, target, q, body, login)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxAnswer {
		return nil, fmt.Errorf("the answer of %s is larger than %d bytes", target, maxAnswer)
	}
	c.debugAnswer(raw)
	answer := &Answer{Status: resp.StatusCode, Header: resp.Header, Raw: raw}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") && len(bytes.TrimSpace(raw)) > 0 {
		if answer.Body, err = value.FromJSON(raw); err != nil {
			return nil, fmt.Errorf("the answer of %s is not JSON: %w", target, err)
		}
	}
	if resp.StatusCode >= 400 {
		return answer, failure(resp, answer.Body, req.URL.String())
	}
	return answer, nil
}

func failure(resp *http.Response, body value.Value, target string) *Error {
	e := &Error{Status: resp.StatusCode, Reason: http.StatusText(resp.StatusCode), URL: target}
	if d, ok := body.(*value.Dict); ok {
		if fault, found := d.GetStr("faultstring"); found {
			e.Fault = value.Str(fault)
		}
	}
	return e
}

// debugRequest prints a request as a curl command without its secrets.
func (c *Client) debugRequest(req *http.Request, payload []byte) {
	if c.cfg.Debug == nil {
		return
	}
	parts := []string{"curl", "-X", req.Method}
	for _, name := range []string{"Accept", "Content-Type", "X-Auth-Token", "St2-Api-Key", "Authorization"} {
		v := req.Header.Get(name)
		switch {
		case v == "":
			continue
		case name == "Content-Type":
			name = "content-type"
		case name != "Accept":
			v = "********"
		}
		parts = append(parts, "-H ", quote(name+": "+v))
	}
	if payload != nil {
		parts = append(parts, "--data-binary", quote(string(payload)))
	}
	parts = append(parts, quote(req.URL.String()))
	fmt.Fprintf(c.cfg.Debug, "# -------- begin %d request ----------\n%s\n", c.number, strings.Join(parts, " "))
}

// debugAnswer prints an answer as it came.
func (c *Client) debugAnswer(raw []byte) {
	if c.cfg.Debug != nil {
		fmt.Fprintf(c.cfg.Debug, "# -------- begin %d response ----------\n%s\n# -------- end %d response ------------\n\n", c.number, raw, c.number)
	}
}

// unquoted are the characters a shell takes as they are.
var unquoted = regexp.MustCompile(`^[a-zA-Z0-9@%_+=:,./-]+$`)

// quote makes a text one word of a shell.
func quote(text string) string {
	if unquoted.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'"'"'`) + "'"
}
