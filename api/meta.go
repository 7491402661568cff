package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"petrel"
	"petrel/storage"
)

// version serves GET /: whose interface this is.
func (a *API) version(c *call) error {
	return c.json(http.StatusOK, object{{"version", Version}, {"docs_url", "http://docs.stackstorm.com/3.9"}})
}

// healthz says that the process answers at all.
func (a *API) healthz(c *call) error {
	return c.json(http.StatusOK, object{{"alive", true}})
}

// readyTimeout bounds how long a part may take to say whether it is ready.
const readyTimeout = 2 * time.Second

// readyz says whether a request that changes something would be taken now:
// every part is really asked.
func (a *API) readyz(c *call) error {
	checks := append([]Check{{Name: "store", Ask: a.cfg.Store.Ping}}, a.cfg.Ready...)
	type answer struct {
		i   int
		err error
	}
	ctx, cancel := context.WithTimeout(c.ctx(), readyTimeout)
	defer cancel()
	answers := make(chan answer, len(checks))
	for i, check := range checks {
		go func() { answers <- answer{i, check.Ask(ctx)} }()
	}
	errs := make([]error, len(checks))
	for i := range errs {
		errs[i] = context.DeadlineExceeded
	}
	for range checks {
		select {
		case got := <-answers:
			errs[got.i] = got.err
			continue
		case <-ctx.Done():
		}
		break
	}
	status, parts := http.StatusOK, object{}
	for i, check := range checks {
		if errs[i] == nil {
			parts.add(check.Name, "ok")
			continue
		}
		// Nobody was asked for a credential, so what lies beneath stays in the log.
		status = http.StatusServiceUnavailable
		parts.add(check.Name, "not ready")
		a.cfg.Log.Warn("a part is not ready", "part", check.Name, "error", errs[i])
	}
	return c.json(status, object{{"ready", status == http.StatusOK}, {"checks", parts}})
}

// auditShape is an entry of the audit.
func auditShape(x petrel.AuditEntry) object {
	o := object{{"id", x.ID}, {"timestamp", x.At}, {"user", x.User}}
	if x.Chat != "" {
		o.add("chat", x.Chat)
	}
	if x.From != "" {
		o.add("from", x.From)
	}
	o = append(o, member{"action", x.Action}, member{"target", x.Target}, member{"allowed", x.Allowed}, member{"reason", x.Reason})
	if len(x.Arguments) > 0 {
		o.add("arguments", x.Arguments)
	}
	if x.RequestID != "" {
		o.add("request_id", x.RequestID)
	}
	return o
}

// maxAuditPage bounds a page of the audit.
const maxAuditPage = 1000

// auditList serves GET audit: who did what, newest first. The next page begins
// behind the last id of this one (after).
func (a *API) auditList(c *call) error {
	limit, err := c.integer("limit", 50)
	if err != nil {
		return err
	}
	if limit < 1 || limit > maxAuditPage {
		return petrel.Errorf(petrel.Invalid, "limit is %d, it must be 1 to %d; ask for the next page with after=<last id>", limit, maxAuditPage)
	}
	f := storage.AuditFilter{User: c.text("user"), Action: c.text("action"), Target: c.text("target"), Limit: int(limit)}
	if c.query.Has("allowed") {
		allowed, err := c.boolean("allowed")
		if err != nil {
			return err
		}
		f.Allowed = &allowed
	}
	for _, b := range []struct {
		name string
		to   *time.Time
	}{{"timestamp_gt", &f.From}, {"timestamp_lt", &f.To}} {
		if text := c.text(b.name); text != "" {
			if *b.to, err = petrel.ParseTime(text); err != nil {
				return err
			}
		}
	}
	if text := c.text("after"); text != "" {
		if f.AfterID = petrel.ID(text); !f.AfterID.Valid() {
			return badID(text)
		}
	}
	entries, err := a.cfg.Store.AuditList(c.ctx(), f)
	if err != nil {
		return err
	}
	shapes := []object{}
	for _, e := range entries {
		shapes = append(shapes, auditShape(e))
	}
	c.w.Header().Set("X-Limit", strconv.FormatInt(limit, 10))
	return c.json(http.StatusOK, shapes)
}
