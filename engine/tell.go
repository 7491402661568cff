package engine

import (
	"context"
	"time"

	"petrel"
	"petrel/queue"
)

// tellTimeout bounds what is said to queue and feed: they may be away, and
// nothing depends on them.
const tellTimeout = 2 * time.Second

// tell puts status steps of a run on the feed.
func (e *Engine) tell(ctx context.Context, op string, id petrel.ID, revision int64, steps ...petrel.Status) {
	at := e.now()
	events := make([]queue.Event, len(steps))
	for i, s := range steps {
		events[i] = queue.Event{Kind: "execution", Op: op, ID: id, Status: s, At: at}
		if i == len(steps)-1 {
			events[i].Revision = revision
		}
		if i > 0 {
			events[i].Op = "update"
		}
	}
	e.feed(ctx, events...)
}

func (e *Engine) feed(ctx context.Context, events ...queue.Event) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTimeout)
	defer cancel()
	if err := e.cfg.Feed.Tell(ctx, events...); err != nil {
		e.metrics.untold.WithLabelValues("feed").Inc()
		e.cfg.Log.Warn("The feed did not take an event.", "error", err)
	}
}

// nudge rings on a topic; that nobody hears costs delay only.
func (e *Engine) nudge(ctx context.Context, topic queue.Topic, ids ...petrel.ID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellTimeout)
	defer cancel()
	if err := e.cfg.Queue.Publish(ctx, topic, ids...); err != nil {
		e.metrics.untold.WithLabelValues(string(topic)).Inc()
		e.cfg.Log.Warn("The queue did not take a message.", "topic", topic, "error", err)
	}
}

// posts says that the messages that show a run may have to be rendered again.
func (e *Engine) posts(ctx context.Context, id petrel.ID) {
	e.nudge(ctx, queue.TopicPosts, id)
	e.feed(ctx, queue.Event{Kind: "post", Op: "update", ID: id, At: e.now()})
}

// Announcer puts announcements on a feed.
type Announcer struct{ Feed queue.Feed }

// Announce tells everybody who listens to the route.
func (a Announcer) Announce(ctx context.Context, route string, payload petrel.JSON) error {
	return a.Feed.Tell(ctx, queue.Event{Kind: "announcement", Op: "create", Route: route, Payload: payload, At: time.Now().UTC()})
}
