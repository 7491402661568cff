package bot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"petrel"
)

// Adapter is a chat service, or one workspace of it.
type Adapter interface {
	// Name is what identities and posts call it: slack, discord, console.
	Name() string
	// Start begins to receive. Each event is given to the host, which stores it,
	// before the service is told that it was received; when that fails the service is
	// not told. Start returns when the adapter works or cannot; it goes on until Stop.
	Start(ctx context.Context, host Host) error
	// Send posts a message and answers with the service's id of it. It is called
	// for one message of a channel at a time. Errors other than *SendError mean
	// that it is not known whether the message arrived.
	Send(ctx context.Context, out Outgoing) (externalID string, err error)
	// Edit replaces a message that was sent.
	Edit(ctx context.Context, externalID string, out Outgoing) error
	// Stop ends receiving and sending. It may be called twice, and before Start.
	Stop(ctx context.Context) error
}

// Host is what an adapter may ask of the bot.
type Host interface {
	// Receive stores an event. It answers with the stored event's id; existing says that the
	// service sent the same event before. An error of kind Invalid or TooLarge
	// tells what is wrong with the event itself.
	Receive(ctx context.Context, e Event) (id petrel.ID, existing bool, err error)
	// Commands lists what a person can say, for completion and command menus.
	Commands(ctx context.Context, who petrel.ChatIdentity) ([]Command, error)
	// File gives the text of a message's file.
	File(ctx context.Context, post petrel.Post) (name string, content []byte, err error)
}

// Command is something that can be said.
type Command struct {
	Display     string `json:"display"`
	Pack        string `json:"pack"`
	Description string `json:"description"`
}

// Outgoing is a message on its way.
type Outgoing struct {
	Post    petrel.Post // where to; its ID is the delivery id
	Message Message
}

// Limits are what an adapter's service takes.
type Limits struct {
	Text  int           // bytes of text in a message; what is longer goes to a file; default 4000
	Lines int           // lines of text in a message; default 60
	Pace  time.Duration // between two messages or edits in a channel; default none
}

// Limiter is an adapter that knows the limits of its service.
type Limiter interface{ Limits() Limits }

// Private is an adapter that can show a message to one person in a channel.
type Private interface {
	SendPrivate(ctx context.Context, user string, out Outgoing) (externalID string, err error)
}

// Threads is an adapter whose channels have threads. ThreadOf is the thread
// that answers to a message belong to, empty for none.
type Threads interface {
	ThreadOf(e Event) string
}

// Files is an adapter that can attach a file to a message that was sent.
type Files interface {
	SendFile(ctx context.Context, externalID string, out Outgoing, name string, content []byte) error
}

// Finder is an adapter that can look for a message by its delivery id, after a
// sending whose outcome is not known.
type Finder interface {
	Find(ctx context.Context, out Outgoing) (externalID string, found bool, err error)
}

// Completer is an adapter whose service keeps a list of commands for completion.
type Completer interface {
	SetCommands(ctx context.Context, all []Command) error
}

// Reactor is an adapter that can mark a person's message, as a sign of life.
type Reactor interface {
	React(ctx context.Context, e Event, mark string) error
}

// Modals is an adapter that can ask a person for values in a form.
type Modals interface {
	OpenForm(ctx context.Context, e Event, title string, fields []FormField) error
}

// FormField is a question of a form.
type FormField struct {
	Name, Label, Help string
	Required, Secret  bool
	Options           []string // empty for free text
	Value             string   // filled in beforehand
}

// SendError is a sending whose outcome is known.
type SendError struct {
	Permanent bool          // saying it again will not help
	Gone      bool          // the message to edit is not there any more
	RetryIn   time.Duration // the service's Retry-After
	Err       error
}

// Error is the cause's text.
func (e *SendError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("not sent (retry in %v)", e.RetryIn)
	}
	return e.Err.Error()
}

// Unwrap gives the cause.
func (e *SendError) Unwrap() error { return e.Err }

// limitsOf are an adapter's limits with the defaults filled in.
func limitsOf(a Adapter) Limits {
	var l Limits
	if known, ok := a.(Limiter); ok {
		l = known.Limits()
	}
	if l.Text == 0 {
		l.Text = 4000
	}
	if l.Lines == 0 {
		l.Lines = 60
	}
	return l
}

func asSendError(err error) *SendError {
	var e *SendError
	if errors.As(err, &e) {
		return e
	}
	return nil
}
