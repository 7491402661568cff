package bot

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"petrel"
	"petrel/engine"
	"petrel/queue"
)

// Bounds of the handling of events.
const (
	claimBatch     = 64
	maxInHand      = 512              // events, and messages, that wait in this process for their turn; the others wait in the store
	maxAttempts    = 5                // claims of one event by nodes that then died, before it is given up
	retryMax       = 30 * time.Second // between two tries while the store or a part is away
	handleTimeout  = 60 * time.Second
	receiveBackoff = time.Second
)

// queueGroup is the bot's group of receivers on the queue's topics.
const queueGroup = "bot"

// hearEvents waits for other nodes' calls to look at events.
func (b *Bot) hearEvents(ctx context.Context) {
	b.hear(ctx, queue.TopicEvents, func(ids []petrel.ID) {
		select {
		case b.wakeEvents <- ids:
		case <-ctx.Done():
		}
	})
}

// hear receives a topic's messages until the context ends. Rows are the
// truth, so that a message is done as soon as it was heard.
func (b *Bot) hear(ctx context.Context, topic queue.Topic, do func(ids []petrel.ID)) {
	for ctx.Err() == nil {
		messages, err := b.cfg.Queue.Receive(ctx, topic, queueGroup, b.cfg.Engine.Incarnation(), claimBatch)
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			b.cfg.Log.Warn("The queue cannot be heard; sweeps go on.", "topic", topic, "error", err)
			wait(ctx, receiveBackoff)
			continue
		}
		var ids []petrel.ID
		acks := make([]string, 0, len(messages))
		look := false
		for _, m := range messages {
			ids = append(ids, m.IDs...)
			look = look || len(m.IDs) == 0
			acks = append(acks, m.ID)
		}
		if look {
			ids = nil
		}
		if len(messages) > 0 {
			do(ids)
			if err := b.cfg.Queue.Ack(ctx, topic, queueGroup, acks...); err != nil && ctx.Err() == nil {
				b.cfg.Log.Debug("A message of the queue was not acknowledged; it comes again.", "topic", topic, "error", err)
			}
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// handleEvents claims events and handles them: those of one channel in their
// order, channels beside one another.
func (b *Bot) handleEvents(ctx context.Context) {
	slots := make(chan struct{}, b.cfg.Workers)
	room := make(chan struct{}, maxInHand)
	lanes := newLanes()
	var handlers sync.WaitGroup
	defer handlers.Wait()
	for {
		var ids []petrel.ID
		select {
		case <-ctx.Done():
			return
		case ids = <-b.wakeEvents:
		}
		// What was named meanwhile is claimed in the same step.
		for more := len(ids) > 0; more; {
			select {
			case next := <-b.wakeEvents:
				if len(next) == 0 {
					ids, more = nil, false
				} else {
					ids = append(ids, next...)
					more = len(ids) < claimBatch
				}
			default:
				more = false
			}
		}
		for {
			owner := b.cfg.Engine.Incarnation()
			rows, err := b.cfg.Store.ClaimChatEvents(ctx, owner, ids, claimBatch)
			if err != nil {
				if ctx.Err() == nil {
					b.cfg.Log.Warn("Chat events could not be claimed; the next sweep tries again.", "error", err)
				}
				break
			}
			if len(ids) == 0 {
				rows = append(rows, b.heldEvents(ctx, owner)...)
			}
			for _, row := range rows {
				if !b.handling.enter(row.ID) {
					continue
				}
				run := lanes.enter(row.Adapter + "\x00" + row.Identity.Workspace + "\x00" + row.Channel)
				room <- struct{}{}
				handlers.Go(func() {
					defer func() { <-room }()
					run(func() {
						slots <- struct{}{}
						defer func() { <-slots }()
						b.handle(row, owner)
					})
				})
			}
			if len(rows) < claimBatch || len(ids) > 0 {
				break
			}
		}
	}
}

// lanes keeps work of the same key in order.
type lanes struct {
	mu   sync.Mutex
	last map[string]chan struct{}
}

func newLanes() *lanes { return &lanes{last: map[string]chan struct{}{}} }

// enter takes the next place of a key; what it returns waits for the places before.
func (l *lanes) enter(key string) func(do func()) {
	l.mu.Lock()
	before := l.last[key]
	mine := make(chan struct{})
	l.last[key] = mine
	l.mu.Unlock()
	return func(do func()) {
		if before != nil {
			<-before
		}
		defer func() {
			close(mine)
			l.mu.Lock()
			if l.last[key] == mine {
				delete(l.last, key)
			}
			l.mu.Unlock()
		}()
		do()
	}
}

// handle handles one claimed event. A fault of Petrel is answered too.
func (b *Bot) handle(row petrel.ChatEvent, owner string) {
	ctx, cancel := context.WithTimeout(b.work, handleTimeout)
	defer cancel()
	e := eventOf(row)
	v, err := b.try(ctx, row, owner, e)
	switch {
	case err == nil:
		if v.reason != "" {
			b.metrics.handled.WithLabelValues(row.Adapter, string(v.reason)).Inc()
			b.cfg.Log.Debug("A chat event was handled.", "event", row.ID, "reason", v.reason)
		}
	case petrel.Is(err, petrel.NotOwner), petrel.Is(err, petrel.Conflict):
		// Somebody else has it, or it is done.
		b.cfg.Log.Info("A chat event is no longer ours.", "event", row.ID, "error", err)
	case passing(err):
		b.cfg.Log.Warn("A chat event waits for a part that is away.", "event", row.ID, "error", err)
		b.retries.later(b.work, row.ID, func() { b.handle(row, owner) })
		return
	default:
		b.cfg.Log.Error("A chat event could not be handled.", "event", row.ID, "error", err)
		b.giveUp(ctx, row, owner, e, "Something went wrong inside Petrel; its log says what under event "+string(row.ID)+".", err)
	}
	b.retries.done(row.ID)
	b.handling.leave(row.ID)
}

// passing says whether it may go better later.
func passing(err error) bool {
	switch petrel.KindOf(err) {
	case petrel.Unavailable, petrel.Unknown:
		return true
	}
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

func (b *Bot) giveUp(ctx context.Context, row petrel.ChatEvent, owner string, e Event, text string, cause error) {
	v := refusal(ReasonFailed, e, cause.Error(), text)
	v.reply.Severity = SeverityFailure
	b.metrics.handled.WithLabelValues(row.Adapter, string(ReasonFailed)).Inc()
	if err := b.answer(ctx, row, owner, v); err != nil {
		b.cfg.Log.Error("A chat event could not be answered.", "event", row.ID, "error", err)
	}
}

// try decides and acts; a panic is an error.
func (b *Bot) try(ctx context.Context, row petrel.ChatEvent, owner string, e Event) (v verdict, err error) {
	defer func() {
		if p := recover(); p != nil {
			b.cfg.Log.Error("A chat event made the bot panic.", "event", row.ID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = petrel.Errorf(petrel.Internal, "panic while handling a chat event")
		}
	}()
	if row.Attempt > maxAttempts {
		return verdict{}, petrel.Errorf(petrel.Internal, "the event was tried %d times by nodes that then died", row.Attempt-1)
	}
	if e.Kind == EventClick {
		return b.click(ctx, row, owner, e)
	}
	v, err = b.decide(ctx, e)
	if err != nil {
		return v, err
	}
	if v.reason != ReasonNotAddressed {
		if r, ok := b.adapters[row.Adapter].(Reactor); ok {
			_ = r.React(ctx, e, "seen") // a sign of life, no more
		}
	}
	return b.act(ctx, row, owner, e, v)
}

// act does what was decided for a line.
func (b *Bot) act(ctx context.Context, row petrel.ChatEvent, owner string, e Event, v verdict) (verdict, error) {
	if len(v.runs) == 0 {
		return v, b.answer(ctx, row, owner, v)
	}
	for i, run := range v.runs {
		r := engine.Request{
			Action: run.Action.Ref, Parameters: run.Parameters, User: run.who.User,
			Context: b.runContext(e, run.who, run.alias), Lane: petrel.LaneInteractive,
			Literal:        true, // what people write is never evaluated
			IdempotencyKey: fmt.Sprintf("chat:%s:%d", row.ID, i),
			Posts:          func(x petrel.Execution) []petrel.Post { return b.ackPosts(ctx, row, run, x, i) },
			Audit:          []petrel.AuditEntry{run.audit},
		}
		if i == len(v.runs)-1 {
			r.Event, r.EventOwner = row.ID, owner
		}
		x, existing, err := b.cfg.Engine.Request(ctx, r)
		switch {
		case err != nil && x.ID == "":
			words, known := b.explain(e, err, displayOf(run.alias), run.Action.Ref)
			if !known {
				return v, err
			}
			words.audit = []petrel.AuditEntry{run.audit}
			if i > 0 {
				words.reply.Blocks = append(words.reply.Blocks, Block{Kind: BlockText, Text: fmt.Sprintf("%s of this line were started before.", plural(i, "run", "runs"))})
			}
			return words, b.answer(ctx, row, owner, words)
		case err != nil:
			// A failed run was stored with its reason; its message tells it.
			b.cfg.Log.Info("A run from a chat line failed at once.", "event", row.ID, "execution", x.ID, "error", err)
		case existing && i == len(v.runs)-1:
			// The run was stored by an earlier try of this event whose answer was lost.
			if err := b.cfg.Store.FinishChatEvent(ctx, row.ID, owner, v.outcome(), nil, nil); err != nil && !petrel.Is(err, petrel.NotOwner) {
				return v, err
			}
		}
		b.live.watch(x.ID, b.cfg.Now())
	}
	b.pokePosts()
	return v, nil
}

func displayOf(a *petrel.Alias) string {
	for _, f := range a.Formats {
		if f.Display != "" {
			return f.Display
		}
	}
	return ""
}

// ackPosts makes the message of a run: its acknowledgement, which becomes the reply.
func (b *Bot) ackPosts(ctx context.Context, row petrel.ChatEvent, run plannedRun, x petrel.Execution, i int) []petrel.Post {
	s, err := b.scene(ctx, x, run.alias, row.Identity.User, row.Adapter)
	m := Message{Version: messageVersion, Severity: SeverityRunning, Execution: x.ID, Action: x.Action.Ref, Status: x.Status,
		Blocks: []Block{{Kind: BlockText, Text: fmt.Sprintf("Running %s (execution %s).", x.Action.Ref, x.ID)}}}
	if err == nil {
		if x.Status.Final() {
			m = RenderFinal(ctx, s)
		} else {
			m = RenderAck(ctx, s)
		}
	}
	p := b.post(row, m)
	if i > 0 {
		p.Key = fmt.Sprintf("%s:%d", p.Key, i)
	}
	p.ExecutionID = x.ID
	p.Final = x.Status.Final()
	return []petrel.Post{p}
}

// answer closes an event with words, or without any.
func (b *Bot) answer(ctx context.Context, row petrel.ChatEvent, owner string, v verdict) error {
	var posts []petrel.Post
	if v.reply != nil {
		v.reply.mapText(func(text string) string { return Unping(Clean(text)) })
		if fit(v.reply, limitsOf(b.adapters[row.Adapter])) && v.reason != ReasonHelp {
			v.reply.Blocks = append(v.reply.Blocks, Block{Kind: BlockText, Text: "…"})
		}
		p := b.post(row, *v.reply)
		p.Final = true
		posts = append(posts, p)
	}
	if err := b.cfg.Store.FinishChatEvent(ctx, row.ID, owner, v.outcome(), posts, v.audit); err != nil {
		return err
	}
	if len(posts) > 0 {
		b.pokePosts()
	}
	return nil
}

// post is a message that answers an event, where the event came from.
func (b *Bot) post(row petrel.ChatEvent, m Message) petrel.Post {
	now := b.cfg.Now()
	thread := row.Thread
	if thread == "" {
		if t, ok := b.adapters[row.Adapter].(Threads); ok {
			thread = t.ThreadOf(eventOf(row))
		}
	}
	return petrel.Post{ID: petrel.NewID(now), Key: "event:" + string(row.ID), Adapter: row.Adapter, Workspace: row.Identity.Workspace,
		Channel: row.Channel, Thread: thread, EventID: row.ID, Revision: 1, Body: m.Encode(), State: petrel.PostPending, CreatedAt: petrel.Micros(now)}
}
