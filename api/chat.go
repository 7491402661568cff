package api

import (
	"net/http"
	"time"

	"petrel"
	"petrel/aliases"
	"petrel/expr/value"
)

// chat hands a request to the chat handlers, with the caller in its context.
// Paths begin at /chat/ there.
func (a *API) chat(c *call) error {
	r := c.r.Clone(c.ctx())
	r.URL.Path = "/chat/" + c.path["path"]
	r.URL.RawPath = ""
	w := &tracked{ResponseWriter: c.w, c: c}
	if r.Method == http.MethodGet {
		// It may be a stream: each write has a bound of its own in place of the
		// server's bound on the whole request.
		w.endless = http.NewResponseController(c.w)
		_ = w.endless.SetReadDeadline(time.Time{})
		w.extend()
	} else {
		r.Body = http.MaxBytesReader(c.w, r.Body, a.cfg.MaxBody)
	}
	a.cfg.Chat.ServeHTTP(w, r)
	return nil
}

// tracked tells a call what a handler that knows nothing of it has answered.
type tracked struct {
	http.ResponseWriter
	c       *call
	endless *http.ResponseController // of an answer that may be a stream; else nil
}

// extend gives the next write its time.
func (t *tracked) extend() {
	if t.endless != nil {
		_ = t.endless.SetWriteDeadline(time.Now().Add(t.c.a.cfg.StreamWrite))
	}
}

// WriteHeader notes the status.
func (t *tracked) WriteHeader(status int) {
	t.c.status = status
	t.extend()
	t.ResponseWriter.WriteHeader(status)
}

// Write notes that the answer has begun.
func (t *tracked) Write(text []byte) (int, error) {
	if t.c.status == 0 {
		t.c.status = http.StatusOK
	}
	t.extend()
	return t.ResponseWriter.Write(text)
}

// Unwrap lets http.ResponseController reach the connection.
func (t *tracked) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// chatResult serves GET chat/results/{execution_id}: what is said in a chat
// about an execution that ended, by the alias it was started with.
func (a *API) chatResult(c *call) error {
	x, _, err := c.execution("execution_view", false)
	if err != nil {
		return err
	}
	shape, err := a.executionShape(x, !a.cfg.ShowSecrets)
	if err != nil {
		return err
	}
	text, err := appendJSON(nil, shape)
	if err != nil {
		return err
	}
	alias, shown, err := c.aliasOf(x)
	if err != nil {
		return err
	}
	if alias != nil && !aliases.Result(alias).Enabled {
		return c.json(http.StatusOK, object{{"enabled", false}})
	}
	said := aliases.Finished(c.ctx(), alias, dictOf(text), shown)
	out := object{{"enabled", said.Enabled}, {"message", said.Message}}
	if said.Extra != nil {
		out.add("extra", said.Extra)
	}
	return c.json(http.StatusOK, out)
}

// aliasOf is the alias a run was started with; nil when there is none, or it
// is gone.
func (c *call) aliasOf(x petrel.Execution) (*petrel.Alias, *value.Dict, error) {
	started := dictOf(x.Context)
	if started == nil {
		return nil, nil, nil
	}
	ref := objectOf(started, "action_alias_ref")
	if ref == nil {
		return nil, nil, nil
	}
	alias, err := c.a.cfg.Store.Alias(c.ctx(), textOf(ref, "id"))
	if petrel.Is(err, petrel.NotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	text, err := appendJSON(nil, aliasShape(alias))
	if err != nil {
		return nil, nil, err
	}
	return &alias, dictOf(text), nil
}
