package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"petrel"
	"petrel/auth"
	"petrel/bot"
	"petrel/queue"
	"petrel/storage"
)

// Update is a message as it is now: the data of a stream's events of type message.
type Update struct {
	Post     petrel.ID   `json:"post"`
	Event    petrel.ID   `json:"event,omitempty"` // the line or click it answers
	Channel  string      `json:"channel"`
	Thread   string      `json:"thread,omitempty"`
	Revision int         `json:"revision"`
	Final    bool        `json:"final"`
	At       string      `json:"at"`
	Text     string      `json:"text"` // the message as plain text
	Message  bot.Message `json:"message"`
	File     string      `json:"file,omitempty"` // path of the whole text, below the chat's
}

// clockSlack is how far the clocks of this process and of the store may be
// apart for a stream to be taken up without a gap.
const clockSlack = 2 * time.Second

// getStream tells what is said in a channel from now on, and with
// Last-Event-ID first what was said or changed since that event.
func (c *Console) getStream(w http.ResponseWriter, r *http.Request, who auth.Principal) error {
	channel, err := channelOf(r.URL.Query().Get("channel"), who)
	if err != nil {
		return err
	}
	since, resumes, err := lastEvent(r)
	if err != nil {
		return err
	}
	if !c.enter(who.User) {
		return petrel.Errorf(petrel.TooMany, "You have %d streams open, which is the limit.", c.cfg.StreamsPerUser)
	}
	defer c.leave(who.User)
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	// Listening begins before the past is read, so that nothing falls between.
	sub, err := c.cfg.Feed.Listen(ctx)
	if err != nil {
		return petrel.Wrap(petrel.Unavailable, err, "The live feed is away; try again later.")
	}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache, no-transform")
	h.Set("X-Accel-Buffering", "no")
	h.Set("X-Content-Type-Options", "nosniff")
	s := &stream{c: c, w: w, rc: http.NewResponseController(w), who: who, channel: channel, shown: map[petrel.ID]int{}}
	// The server's bound of a request's time does not hold for a stream; an error
	// says only that there is none.
	_ = s.rc.SetReadDeadline(time.Time{})
	w.WriteHeader(http.StatusOK)
	hello, _ := json.Marshal(map[string]string{"user": who.User, "channel": channel})
	// The id lets a client that heard nothing yet take the stream up where it began.
	start := fmt.Sprintf("%d-hello", c.cfg.Now().Add(-clockSlack).UnixMicro())
	if !s.write("id: " + start + "\nevent: hello\ndata: " + string(hello) + "\n\n") {
		return nil
	}
	if resumes && !s.replay(ctx, since) {
		return nil
	}
	s.follow(ctx, sub)
	return nil
}

// enter counts a stream of a user; false when there are too many.
func (c *Console) enter(user string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.streams[user] >= c.cfg.StreamsPerUser {
		return false
	}
	c.streams[user]++
	return true
}

func (c *Console) leave(user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams[user]--; c.streams[user] <= 0 {
		delete(c.streams, user)
	}
}

// lastEvent reads where a stream is to be taken up: the microsecond of a change, the post
// and its revision, as eventID wrote them. "0" is from the beginning.
func lastEvent(r *http.Request) (since time.Time, resumes bool, err error) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("last_event_id")
	}
	if text == "" {
		return time.Time{}, false, nil
	}
	micros, _, _ := strings.Cut(text, "-")
	n, err := strconv.ParseInt(micros, 10, 64)
	if err != nil || n < 0 {
		return time.Time{}, false, invalid("Last-Event-ID", "Last-Event-ID is not the id of an event of this stream")
	}
	return time.UnixMicro(n), true, nil
}

func eventID(p petrel.Post) string {
	return fmt.Sprintf("%d-%s-%d", p.UpdatedAt.UnixMicro(), p.ID, p.Revision)
}

// stream is one open stream.
type stream struct {
	c       *Console
	w       http.ResponseWriter
	rc      *http.ResponseController
	who     auth.Principal
	channel string
	shown   map[petrel.ID]int // revisions of recent posts that were written
}

// maxShown bounds what a stream remembers of what it wrote.
const maxShown = 2000

// write writes to the client; false ends the stream. A client that takes
// nothing for a while is cut off, so that it holds nobody up; it can take the
// stream up again.
func (s *stream) write(text string) bool {
	_ = s.rc.SetWriteDeadline(time.Now().Add(s.c.cfg.WriteTimeout))
	_, err := s.w.Write([]byte(text))
	if err == nil {
		err = s.rc.Flush()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.c.cfg.Log.Info("A chat stream was cut off, its reader takes nothing.", "user", s.who.User)
	}
	return err == nil
}

// replay writes what was said or changed since a time.
func (s *stream) replay(ctx context.Context, since time.Time) bool {
	posts, err := s.c.cfg.Store.PostList(ctx, storage.PostFilter{Adapter: Name, Workspace: Workspace, Channel: s.channel, Newest: true, Limit: s.c.cfg.Resume})
	if err != nil {
		s.c.cfg.Log.Warn("A chat stream could not be taken up.", "error", err)
		return false
	}
	for _, p := range posts {
		// The change at that very moment may be another one; clients know revisions.
		if !p.UpdatedAt.Before(since) && !s.show(p) {
			return false
		}
	}
	return true
}

// follow writes what the feed tells of until the client goes, the feed cuts
// off, or the console stops.
func (s *stream) follow(ctx context.Context, sub *queue.Subscription) {
	beat := time.NewTimer(s.c.cfg.Heartbeat)
	defer beat.Stop()
	mine := route(Workspace, s.channel)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.c.closing:
			return
		case <-beat.C:
			if !s.write(": heartbeat\n\n") {
				return
			}
		case e, open := <-sub.C:
			if !open {
				return
			}
			if e.Kind != "chat" || e.Route != mine || s.shown[e.ID] >= int(e.Revision) && e.Revision > 0 {
				continue
			}
			p, err := s.c.cfg.Store.Post(ctx, e.ID)
			if err != nil {
				if !petrel.Is(err, petrel.NotFound) {
					return
				}
				continue
			}
			if !s.show(p) {
				return
			}
		}
		beat.Reset(s.c.cfg.Heartbeat)
	}
}

// show writes one message unless the client has it.
func (s *stream) show(p petrel.Post) bool {
	if s.shown[p.ID] >= p.Revision || !sees(s.who, p) {
		return true
	}
	m, err := bot.DecodeMessage(p.Body)
	if err != nil {
		return true
	}
	if len(s.shown) >= maxShown {
		clear(s.shown)
	}
	s.shown[p.ID] = p.Revision
	u := Update{Post: p.ID, Event: p.EventID, Channel: p.Channel, Thread: p.Thread, Revision: p.Revision, Final: p.Final,
		At: petrel.FormatTime(p.UpdatedAt), Text: m.Text(), Message: m}
	if m.File != nil {
		u.File = "files/" + string(p.ID)
	}
	data, err := json.Marshal(u)
	if err != nil {
		return true
	}
	return s.write("id: " + eventID(p) + "\nevent: message\ndata: " + string(data) + "\n\n")
}
