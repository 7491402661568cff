// Package queue is the doorbell between processes: it says "look at these
// ids", never what they are. A message may be lost, doubled or late; that
// costs delay, never work, because the row in the store is the truth. It also
// carries the live feed. The suite in queuetest checks every implementation.
package queue

import (
	"context"
	"time"

	"petrel"
)

// Topic names a stream of messages.
type Topic string

// The topics.
const (
	TopicExecutions Topic = "executions" // runs that wait to be claimed
	TopicControl    Topic = "control"    // runs to cancel, pause or resume: every node hears it
	TopicEvents     Topic = "events"     // chat events that wait
	TopicPosts      Topic = "posts"      // messages to render or to send
)

// Message names rows to look at.
type Message struct {
	ID         string // the queue's own id, for Ack
	IDs        []petrel.ID
	Deliveries int // 1 for the first
}

// Queue rings.
type Queue interface {
	// Publish tells the topic's groups about ids. An error means that nobody may
	// have been told; the caller goes on, because idle workers look by themselves.
	Publish(ctx context.Context, topic Topic, ids ...petrel.ID) error
	// Receive waits until messages are there or the context ends, and gives up to
	// max of them to this consumer of the group. Each message goes to one consumer
	// of the group; one that is not acknowledged within the redelivery time goes
	// to another. A new group starts with what is already there.
	Receive(ctx context.Context, topic Topic, group, consumer string, max int) ([]Message, error)
	// Ack takes messages off the group's pending list.
	Ack(ctx context.Context, topic Topic, group string, ids ...string) error
	// Close ends all waiting receives.
	Close() error
}

// Event is one line of the live feed: something changed, or an announcement.
type Event struct {
	Kind     string // execution, output, alias, announcement, post, chat
	Op       string // create, update, delete
	ID       petrel.ID
	Revision int64
	Status   petrel.Status
	// Payload is carried for announcements only (route in Route); everything else
	// is read from the store by who listens.
	Route   string
	Payload petrel.JSON
	At      time.Time
}

// Feed tells every listener on every node what changes. Events reach a
// listener in the order of their publishing by one node.
type Feed interface {
	// Tell publishes events; it never blocks on a slow listener.
	Tell(ctx context.Context, events ...Event) error
	// Listen gives events from now on until the context ends. A listener whose
	// buffer overflows is cut off: the channel is closed and Err in the
	// subscription says so.
	Listen(ctx context.Context) (*Subscription, error)
}

// Subscription is a listener's end of the feed.
type Subscription struct {
	C   <-chan Event
	Err func() error // why C was closed; nil while it is open or when the context ended
}
