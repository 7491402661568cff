// Package httprequest calls URLs (http-request) as StackStorm does with
// Python's requests: the same parameters, the same rules of headers and
// bodies, the same results and texts of errors. Time, sizes and redirects are
// bounded.
package httprequest

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"petrel"
	"petrel/expr/value"
	"petrel/runners"
	"petrel/runners/runnertype"
)

// Options of New. The zero value works.
type Options struct {
	// UserAgent is sent with every request. Default: st2/v3.9.0.
	UserAgent string
	// Body is the largest response body, unpacked. Default: 10 MiB.
	Body int64
	// Denied are networks that no request may reach, whatever name led there.
	// Default: the addresses at which clouds hand out credentials. An empty,
	// non-nil list permits all.
	Denied []netip.Prefix
	// RootCAs verify servers. Default: the system's.
	RootCAs *x509.CertPool
	Log     *slog.Logger // default: slog.Default
}

// metadataAddresses are where clouds hand out credentials to whoever asks
// from inside.
var metadataAddresses = []netip.Prefix{
	netip.MustParsePrefix("169.254.169.254/32"),
	netip.MustParsePrefix("169.254.170.2/32"),
	netip.MustParsePrefix("100.100.100.200/32"),
	netip.MustParsePrefix("fd00:ec2::254/128"),
}

// Runner calls URLs.
type Runner struct {
	typ petrel.RunnerType
	o   Options
}

// New makes the runner.
func New(o Options) *Runner {
	if o.UserAgent == "" {
		o.UserAgent = "st2/v3.9.0"
	}
	if o.Body <= 0 {
		o.Body = 10 << 20
	}
	if o.Denied == nil {
		o.Denied = metadataAddresses
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return &Runner{runnertype.MustNamed("http-request"), o}
}

// Type is the runner's description.
func (r *Runner) Type() petrel.RunnerType { return r.typ }

// Prepare checks what can be known without a connection. What StackStorm finds
// out only while it runs is found out by Run as well.
func (r *Runner) Prepare(_ context.Context, job *runners.Job) error {
	if err := runners.CheckEnabled(job); err != nil {
		return err
	}
	_, err := r.read(job)
	return err
}

// call is what to request, read from a job.
type call struct {
	url        string
	method     string
	headers    []header
	body       value.Value
	params     value.Value
	cookies    *value.Dict
	username   string
	password   string
	follow     bool
	httpProxy  string
	httpsProxy string
	verify     bool
	deny       []string // hosts
	permit     []string
	timeout    time.Duration
	fileName   string
	file       string
	fileType   string
}

// read takes the parameters as StackStorm's runner takes them.
// st2: contrib/runners/http_runner/http_runner/http_runner.py
func (r *Runner) read(job *runners.Job) (*call, error) {
	c := &call{follow: job.Flag("allow_redirects"), verify: true}
	texts := []struct {
		to   *string
		name string
	}{{&c.url, "url"}, {&c.username, "username"}, {&c.password, "password"}, {&c.httpProxy, "http_proxy"}, {&c.httpsProxy, "https_proxy"}}
	for _, t := range texts {
		text, err := job.Text(t.name)
		if err != nil {
			return nil, err
		}
		*t.to = text
	}
	if job.Parameter("url") == nil {
		return nil, petrel.Errorf(petrel.Invalid, "URL must be specified.")
	}
	if v := job.Parameter("verify_ssl_cert"); v != nil {
		c.verify = job.Flag("verify_ssl_cert")
	}
	var err error
	if c.deny, err = hosts(job, "url_hosts_blacklist"); err != nil {
		return nil, err
	}
	if c.permit, err = hosts(job, "url_hosts_whitelist"); err != nil {
		return nil, err
	}
	if len(c.deny) > 0 && len(c.permit) > 0 {
		return nil, petrel.Errorf(petrel.Invalid,
			`"url_hosts_blacklist" and "url_hosts_whitelist" parameters are mutually exclusive. Only one should be provided.`)
	}
	if c.cookies, err = dict("cookies", job.Parameter("cookies")); err != nil {
		return nil, err
	}
	given, err := dict("headers", job.Parameter("headers"))
	if err != nil {
		return nil, err
	}
	if err := c.readAction(job); err != nil {
		return nil, err
	}
	if err := c.setHeaders(given, r.o.UserAgent, job.Action.Name); err != nil {
		return nil, err
	}
	return c, nil
}

// readAction takes the parameters that the action itself declares.
func (c *call) readAction(job *runners.Job) error {
	c.body, c.params = job.ActionParameter("body"), job.ActionParameter("params")
	for _, t := range []struct {
		to   *string
		name string
	}{{&c.method, "method"}, {&c.fileName, "file_name"}, {&c.file, "file_content"}, {&c.fileType, "file_content_type"}} {
		v := job.ActionParameter(t.name)
		if v == nil {
			continue
		}
		text, ok := value.AsString(v)
		if !ok {
			return petrel.Errorf(petrel.Invalid, "parameter %s must be a string, it is a %s", t.name, value.TypeName(v))
		}
		*t.to = text
	}
	if auth := job.ActionParameter("auth"); auth != nil {
		if items, ok := value.IsSequence(auth); ok && len(items) == 2 {
			c.username, c.password = value.Str(items[0]), value.Str(items[1])
		} else if truth, err := value.Truth(nil, auth); truth || err != nil {
			return petrel.Errorf(petrel.Invalid, "parameter auth must be a list of a name and a password, it is a %s", value.TypeName(auth))
		}
	}
	if c.fileName == "" || c.file == "" {
		c.fileName, c.file = "", ""
	}
	if c.method == "" {
		c.method = "GET"
		if truth, err := value.Truth(nil, c.body); err != nil || truth || c.fileName != "" {
			c.method = "POST"
		}
	}
	c.timeout = 60 * time.Second
	if v := job.ActionParameter("timeout"); v != nil {
		seconds, err := value.ToFloat(v)
		if err != nil {
			return err
		}
		if !(seconds > 0) || seconds > 24*3600 {
			return petrel.Errorf(petrel.Invalid, "parameter timeout: %s is not between 0 and 86400 seconds", value.Repr(v))
		}
		c.timeout = time.Duration(seconds * float64(time.Second))
	}
	return nil
}

func dict(name string, v value.Value) (*value.Dict, error) {
	if v == nil {
		return nil, nil
	}
	d, ok := v.(*value.Dict)
	if !ok {
		return nil, petrel.Errorf(petrel.Invalid, "parameter %s must be an object, it is a %s", name, value.TypeName(v))
	}
	return d, nil
}

func hosts(job *runners.Job, name string) ([]string, error) {
	v := job.Parameter(name)
	if v == nil {
		return nil, nil
	}
	items, ok := value.IsSequence(v)
	if !ok {
		return nil, petrel.Errorf(petrel.Invalid, "parameter %s must be a list, it is a %s", name, value.TypeName(v))
	}
	out := make([]string, len(items))
	for i, item := range items {
		out[i] = value.Str(item)
	}
	return out, nil
}

// Run makes the request and gives its result.
func (r *Runner) Run(ctx context.Context, job *runners.Job) runners.Outcome {
	c, err := r.read(job)
	if err != nil {
		return runners.Failed(err)
	}
	deadline, cancel := context.WithTimeoutCause(ctx, c.timeout, errDeadline)
	defer cancel()
	result, status, err := r.perform(deadline, c)
	if ctx.Err() != nil {
		cause := context.Cause(ctx)
		return runners.Outcome{Status: runners.Interrupted(cause), Result: value.DictOf("error", cause.Error())}
	}
	var late *timeoutError
	switch {
	case errors.As(err, &late):
		return runners.Outcome{Status: petrel.StatusTimeout, Result: value.DictOf("error", late.Error())}
	case err != nil:
		r.o.Log.Debug("a request failed", "execution", job.ExecutionID, "host", hostOf(c.url), "class", value.ErrorClass(err))
		return runners.Failed(err)
	}
	out := runners.Outcome{Status: petrel.StatusFailed, Result: result}
	if status >= 200 && status <= 206 {
		out.Status = petrel.StatusSucceeded
	}
	return out
}
