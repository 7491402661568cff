package console

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"petrel"
	"petrel/aliases"
	"petrel/auth"
	"petrel/bot"
)

// maxBody is the largest request: a line of the greatest length, each byte
// escaped.
const maxBody = 6*aliases.MaxLine + 4096

// ServeHTTP serves what is below /chat/: POST messages, POST clicks, GET
// stream, GET commands, GET files/{post}. Whatever stands before the last /chat/ in the
// path is left aside. The caller is taken from the request's context.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if at := strings.LastIndex(path, "/chat/"); at >= 0 {
		path = path[at+len("/chat"):]
	} else if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	inner := r.Clone(r.Context())
	inner.URL.Path, inner.URL.RawPath = path, ""
	c.routes.ServeHTTP(w, inner)
}

func (c *Console) table() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, handler := range map[string]func(http.ResponseWriter, *http.Request, auth.Principal) error{
		"POST /messages":    c.postMessage,
		"POST /clicks":      c.postClick,
		"GET /stream":       c.getStream,
		"GET /commands":     c.getCommands,
		"GET /files/{post}": c.getFile,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			who, ok := auth.FromContext(r.Context())
			if !ok || !who.Known() {
				fail(w, petrel.Errorf(petrel.Unauthorized, "Unauthorized - log in to use the chat."))
				return
			}
			if err := handler(w, r, who); err != nil {
				fail(w, err)
			}
		})
	}
	return mux
}

// messageBody is the body of POST messages.
type messageBody struct {
	Text    string `json:"text"`
	Channel string `json:"channel"`
	EventID string `json:"event_id"`
}

// clickBody is the body of POST clicks.
type clickBody struct {
	Post    petrel.ID `json:"post"`
	Choice  string    `json:"choice"`
	EventID string    `json:"event_id"`
}

// accepted is the answer to both.
type accepted struct {
	Event    petrel.ID `json:"event"`
	Existing bool      `json:"existing"` // the same event_id was taken before
}

func (c *Console) postMessage(w http.ResponseWriter, r *http.Request, who auth.Principal) error {
	var body messageBody
	if err := read(r, &body); err != nil {
		return err
	}
	if strings.TrimSpace(body.Text) == "" {
		return invalid("text", "text is required")
	}
	channel, err := channelOf(body.Channel, who)
	if err != nil {
		return err
	}
	return c.receive(w, r, bot.Event{ID: body.EventID, Identity: identity(who), Channel: channel, Kind: bot.EventLine, Text: body.Text, Direct: true}, who)
}

func (c *Console) postClick(w http.ResponseWriter, r *http.Request, who auth.Principal) error {
	var body clickBody
	if err := read(r, &body); err != nil {
		return err
	}
	if !body.Post.Valid() {
		return invalid("post", "post is not an id of 24 hexadecimal digits")
	}
	post, err := c.post(r, body.Post, who)
	if err != nil {
		return err
	}
	return c.receive(w, r, bot.Event{ID: body.EventID, Identity: identity(who), Channel: post.Channel, Thread: post.Thread,
		Kind: bot.EventClick, Post: body.Post, Choice: body.Choice, Direct: true}, who)
}

// post reads a message that the caller may see.
func (c *Console) post(r *http.Request, id petrel.ID, who auth.Principal) (petrel.Post, error) {
	p, err := c.cfg.Store.Post(r.Context(), id)
	if err == nil && (p.Adapter != Name || !sees(who, p)) {
		err = petrel.Errorf(petrel.NotFound, "The post %s cannot be found.", id)
	}
	return p, err
}

// sees says whether a person may see a message: those of their own direct
// channel, and those of named channels that are not for somebody else alone.
func sees(who auth.Principal, p petrel.Post) bool {
	if strings.HasPrefix(p.Channel, "@") {
		return p.Channel == "@"+who.User
	}
	m, err := bot.DecodeMessage(p.Body)
	return err == nil && (!m.Private || m.To == who.User)
}

func (c *Console) receive(w http.ResponseWriter, r *http.Request, e bot.Event, who auth.Principal) error {
	host, err := c.getHost()
	if err != nil {
		return err
	}
	e.At = c.cfg.Now()
	if e.ID == "" {
		e.ID = string(petrel.NewID(e.At))
	}
	// One person's choice of event ids says nothing about another's.
	e.ID = who.User + "/" + e.ID
	id, existing, err := host.Receive(r.Context(), e)
	if err != nil {
		return err
	}
	answer(w, http.StatusAccepted, accepted{id, existing})
	return nil
}

func (c *Console) getCommands(w http.ResponseWriter, r *http.Request, who auth.Principal) error {
	host, err := c.getHost()
	if err != nil {
		return err
	}
	all, err := host.Commands(r.Context(), identity(who))
	if err != nil {
		return err
	}
	answer(w, http.StatusOK, all)
	return nil
}

func (c *Console) getFile(w http.ResponseWriter, r *http.Request, who auth.Principal) error {
	host, err := c.getHost()
	if err != nil {
		return err
	}
	id := petrel.ID(r.PathValue("post"))
	if !id.Valid() {
		return invalid("post", "post is not an id of 24 hexadecimal digits")
	}
	post, err := c.post(r, id, who)
	if err != nil {
		return err
	}
	name, content, err := host.File(r.Context(), post)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("X-Content-Type-Options", "nosniff")
	_, err = w.Write(content)
	return ignore(err)
}

// ignore drops the error of a connection that is gone.
func ignore(error) error { return nil }

func identity(who auth.Principal) petrel.ChatIdentity {
	return petrel.ChatIdentity{Adapter: Name, Workspace: Workspace, User: who.User}
}

// channelOf is the channel a request names: the person's own direct channel by
// default.
func channelOf(named string, who auth.Principal) (string, error) {
	own := "@" + who.User
	switch {
	case named == "", named == own:
		return own, nil
	case strings.HasPrefix(named, "@"):
		return "", petrel.Errorf(petrel.Forbidden, "The channel belongs to somebody else.")
	case len(named) > 100 || !utf8.ValidString(named) || strings.ContainsFunc(named, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return "", invalid("channel", "channel must be at most 100 bytes without space and control characters")
	}
	return named, nil
}

func invalid(field, text string) error {
	return &petrel.Error{Kind: petrel.Invalid, Field: field, Message: text}
}

// read reads a JSON body strictly. Invalid UTF-8 is refused here, because the
// decoder would replace it.
func read(r *http.Request, into any) error {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return petrel.Wrap(petrel.Invalid, err, "The request's body could not be read.")
	case len(raw) > maxBody:
		return petrel.Errorf(petrel.TooLarge, "The request's body has more than the limit of %d bytes.", maxBody)
	case !utf8.Valid(raw):
		return petrel.Errorf(petrel.Invalid, "The request's body is not valid UTF-8.")
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return petrel.Errorf(petrel.Invalid, "The request's body is not the expected JSON: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return petrel.Errorf(petrel.Invalid, "The request's body holds more than one JSON value.")
	}
	return nil
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// statuses maps kinds of errors to HTTP.
var statuses = map[petrel.Kind]int{
	petrel.Invalid: http.StatusBadRequest, petrel.Unauthorized: http.StatusUnauthorized, petrel.Forbidden: http.StatusForbidden,
	petrel.NotFound: http.StatusNotFound, petrel.Conflict: http.StatusConflict, petrel.TooLarge: http.StatusRequestEntityTooLarge,
	petrel.TooMany: http.StatusTooManyRequests, petrel.Unavailable: http.StatusServiceUnavailable, petrel.Unknown: http.StatusServiceUnavailable,
}

func fail(w http.ResponseWriter, err error) {
	status, known := statuses[petrel.KindOf(err)]
	if !known {
		status = http.StatusInternalServerError
	}
	answer(w, status, map[string]string{"faultstring": petrel.Message(err)})
}
