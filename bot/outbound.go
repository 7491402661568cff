package bot

import (
	"context"
	"sync"
	"time"

	"petrel"
	"petrel/actions"
	"petrel/engine/hook"
	"petrel/expr/value"
	"petrel/queue"
	"petrel/storage"
)

// Bounds of sending.
const (
	staleBatch   = 100
	sendBatch    = 100
	retryFirst   = time.Second
	retryLongest = 5 * time.Minute
	maxSendTries = 100 // of one revision, before it is called failed
	maxPaced     = 10_000
)

// errBehind is the reason of a message that was not tried yet.
const errBehind = "it waits for an earlier message of its channel"

// hearPosts waits for calls to look at the messages of executions.
func (b *Bot) hearPosts(ctx context.Context) {
	b.hear(ctx, queue.TopicPosts, func(ids []petrel.ID) { b.renderAll(ctx, ids) })
}

// renderAll renders the messages of executions again; without ids those that
// the store knows to be stale.
func (b *Bot) renderAll(ctx context.Context, ids []petrel.ID) {
	seen := map[petrel.ID]bool{}
	for _, id := range ids {
		if id != "" && !seen[id] {
			seen[id] = true
			b.renderExecution(ctx, id)
		}
	}
	for len(ids) == 0 {
		stale, err := b.cfg.Store.StalePosts(ctx, staleBatch)
		if err != nil {
			if ctx.Err() == nil {
				b.cfg.Log.Warn("Stale messages could not be listed; the next sweep tries again.", "error", err)
			}
			break
		}
		fresh := 0
		for _, p := range stale {
			if !seen[p.ExecutionID] {
				seen[p.ExecutionID] = true
				fresh++
				b.renderExecution(ctx, p.ExecutionID)
			}
		}
		if len(stale) < staleBatch || fresh == 0 {
			break
		}
	}
	b.pokePosts()
}

// renderExecution brings the messages of a run up to date with the stored run.
func (b *Bot) renderExecution(ctx context.Context, id petrel.ID) {
	posts, err := b.cfg.Store.PostList(ctx, storage.PostFilter{ExecutionID: id})
	if err == nil && len(posts) > 0 {
		var x petrel.Execution
		if x, err = b.cfg.Store.Execution(ctx, id); err == nil {
			for _, p := range posts {
				if !p.Final && err == nil {
					err = b.renderPost(ctx, p, x)
				}
			}
			if x.Status.Final() {
				b.live.forget(id)
			} else {
				b.live.watch(id, b.cfg.Now())
			}
		}
	}
	if err != nil && ctx.Err() == nil {
		b.cfg.Log.Warn("The messages of an execution could not be rendered; the next sweep tries again.", "execution", id, "error", err)
	}
}

// renderPost renders one open message of a run.
func (b *Bot) renderPost(ctx context.Context, p petrel.Post, x petrel.Execution) error {
	before, err := DecodeMessage(p.Body)
	if err != nil {
		before = Message{} // it is replaced
	}
	if !x.Status.Final() && (before.Status == x.Status || quietly(before.Status, x.Status)) {
		return nil
	}
	s, err := b.scene(ctx, x, b.aliasOf(ctx, x), before.To, p.Adapter)
	if err != nil {
		return err
	}
	var m Message
	if x.Status.Final() {
		// The end is stored and nobody in the chat was told.
		if err := hook.Fire(hook.AfterFinishBeforePost); err != nil {
			return err
		}
		m = RenderFinal(ctx, s)
	} else {
		m = RenderRunning(ctx, s)
	}
	_, err = b.cfg.Store.RevisePost(ctx, p.ID, m.Encode(), x.Status.Final())
	if petrel.Is(err, petrel.Conflict) || petrel.Is(err, petrel.NotFound) {
		return nil // somebody else closed it, or it is gone
	}
	return err
}

// quietly says whether a step of a run's status is not worth an edit of its
// own: the progress line tells it when it lasts.
func quietly(from, to petrel.Status) bool {
	early := func(s petrel.Status) bool {
		return s == petrel.StatusRequested || s == petrel.StatusScheduled || s == petrel.StatusRunning || s == ""
	}
	return early(from) && early(to)
}

// scene reads what the rendering of a run's messages needs.
func (b *Bot) scene(ctx context.Context, x petrel.Execution, a *petrel.Alias, to, adapter string) (Scene, error) {
	spec, err := actions.Merged(x.Runner, x.Action)
	if err != nil {
		return Scene{}, err
	}
	s := Scene{Execution: x, Alias: a, To: to, Now: b.cfg.Now(), Limits: limitsOf(b.adapters[adapter])}
	s.Secrets = actions.SecretValues(spec, dictOf(x.Parameters))
	if b.cfg.View != nil {
		if s.View, err = b.cfg.View(x); err != nil {
			return Scene{}, err
		}
	} else {
		s.View = viewOf(x, spec, b.cfg.WebURL)
	}
	if a != nil {
		s.AliasView = shape(*a)
	}
	return s, nil
}

// aliasOf is the alias that started a run, as it is now; nil when it is gone.
func (b *Bot) aliasOf(ctx context.Context, x petrel.Execution) *petrel.Alias {
	ref := dictOf(petrel.JSON(x.Context))
	name, _ := get(ref, "action_alias_ref").(*value.Dict)
	if name == nil {
		return nil
	}
	all, err := b.commands.index(ctx)
	if err != nil {
		return nil
	}
	if a := all.byID[petrel.ID(show(name, "id"))]; a != nil {
		return a
	}
	// A pack that was registered anew may have given it another id.
	a, _ := all.Alias(show(name, "name"))
	return a
}

// file makes the text of a message's file.
func (b *Bot) file(ctx context.Context, p petrel.Post) (string, []byte, error) {
	if p.ExecutionID == "" {
		return "", nil, petrel.Errorf(petrel.NotFound, "The message has no file.")
	}
	x, err := b.cfg.Store.Execution(ctx, p.ExecutionID)
	if err != nil {
		return "", nil, err
	}
	s, err := b.scene(ctx, x, b.aliasOf(ctx, x), "", p.Adapter)
	if err != nil {
		return "", nil, err
	}
	name, text := RenderFile(ctx, s)
	return name, []byte(text), nil
}

func (b *Bot) pokePosts() {
	select {
	case b.wakePosts <- struct{}{}:
	default:
	}
}

// sendPosts claims pending messages and sends them: those of one channel one
// after the other, channels beside one another.
func (b *Bot) sendPosts(ctx context.Context) {
	names := make([]string, 0, len(b.adapters))
	for name := range b.adapters {
		names = append(names, name)
	}
	room := make(chan struct{}, maxInHand)
	lanes := newLanes()
	var senders sync.WaitGroup
	defer senders.Wait()
	for len(names) > 0 {
		select {
		case <-ctx.Done():
			return
		case <-b.wakePosts:
		}
		for ctx.Err() == nil {
			owner := b.cfg.Engine.Incarnation()
			posts, err := b.cfg.Store.ClaimPosts(ctx, owner, names, sendBatch)
			if err != nil {
				if ctx.Err() == nil {
					b.cfg.Log.Warn("Messages could not be claimed; the next sweep tries again.", "error", err)
				}
				break
			}
			claimed := len(posts)
			posts = append(posts, b.heldPosts(ctx, owner)...)
			for _, p := range posts {
				if !b.sending.enter(p.ID) {
					continue
				}
				run := lanes.enter(channelKey(p))
				room <- struct{}{}
				senders.Go(func() {
					defer func() { <-room }()
					run(func() { b.sendPost(p, owner) })
				})
			}
			if claimed < sendBatch {
				break
			}
		}
	}
	<-ctx.Done()
}

// heldPosts are messages that are this node's to send and that nobody sends,
// because the answer to their claim or of their storing was lost. The store is
// asked only by the sweep.
func (b *Bot) heldPosts(ctx context.Context, owner string) []petrel.Post {
	if !b.lookHeld.CompareAndSwap(true, false) {
		return nil
	}
	_, posts, err := b.cfg.Store.HeldChats(ctx, owner)
	if err != nil {
		return nil
	}
	return lost(&b.sending, posts, func(p petrel.Post) petrel.ID { return p.ID })
}

func channelKey(p petrel.Post) string { return p.Adapter + "\x00" + p.Workspace + "\x00" + p.Channel }

// pacer remembers when something was last sent to a channel, and which
// channels must wait.
type pacer struct {
	mu   sync.Mutex
	last map[string]time.Time
	held map[string]time.Time
}

// hold keeps a channel back for a while: what follows a message that has to be
// sent again must not overtake it.
func (p *pacer) hold(key string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[key] = time.Now().Add(d)
}

// holding is for how long the channel is kept back.
func (p *pacer) holding(key string) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	until, held := p.held[key]
	if !held {
		return 0
	}
	left := time.Until(until)
	if left <= 0 {
		delete(p.held, key)
	}
	return max(left, 0)
}

// wait waits until the channel may be sent to again and says whether it had to.
func (p *pacer) wait(ctx context.Context, key string, pace time.Duration) bool {
	if pace <= 0 {
		return false
	}
	p.mu.Lock()
	left := time.Until(p.last[key].Add(pace))
	p.mu.Unlock()
	if left <= 0 {
		return false
	}
	wait(ctx, left)
	return true
}

// sent notes that something was sent to the channel just now.
func (p *pacer) sent(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.last[key] = now
	if len(p.last) > maxPaced {
		for k, t := range p.last {
			if now.Sub(t) > time.Minute {
				delete(p.last, k)
			}
		}
	}
}

// sendPost sends the newest revision of a claimed message and stores what became of it.
func (b *Bot) sendPost(p petrel.Post, owner string) {
	ctx, cancel := context.WithTimeout(b.work, b.cfg.SendTimeout)
	defer cancel()
	a := b.adapters[p.Adapter]
	if b.pace.wait(ctx, channelKey(p), limitsOf(a).Pace) {
		// Only the newest revision is worth sending.
		if newer, err := b.cfg.Store.Post(ctx, p.ID); err == nil && newer.Revision > p.Revision {
			newer.Owner, newer.Attempts = p.Owner, p.Attempts
			p = newer
		}
	}
	var sent storage.Sent
	if left := b.pace.holding(channelKey(p)); left > 0 {
		sent = storage.Sent{State: petrel.PostPending, ExternalID: p.ExternalID, RetryIn: left, Error: errBehind}
	} else {
		sent = b.send(ctx, a, p)
		b.pace.sent(channelKey(p))
		if sent.RetryIn > 0 {
			b.pace.hold(channelKey(p), sent.RetryIn)
		}
	}
	// The answer is stored even when the time for sending ran out.
	ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), b.cfg.SendTimeout)
	defer cancel()
	// From here on the post can be claimed again.
	b.sending.leave(p.ID)
	err := b.cfg.Store.PostSent(ctx, p.ID, owner, p.Revision, sent)
	for try := 0; passing(err) && try < 3 && ctx.Err() == nil; try++ {
		wait(ctx, retryFirst)
		err = b.cfg.Store.PostSent(ctx, p.ID, owner, p.Revision, sent)
	}
	if err != nil {
		b.cfg.Log.Warn("What became of a message could not be stored.", "post", p.ID, "state", sent.State, "error", err)
	}
	b.metrics.posts.WithLabelValues(p.Adapter, string(sent.State)).Inc()
	if sent.State == petrel.PostSent {
		b.metrics.waited.WithLabelValues(p.Adapter).Observe(max(0, b.cfg.Now().Sub(p.UpdatedAt).Seconds()))
	}
	if sent.RetryIn > 0 {
		time.AfterFunc(sent.RetryIn, b.pokePosts)
	}
	// A newer revision may have been made while this one was on its way.
	if now, err := b.cfg.Store.Post(ctx, p.ID); err == nil && now.State == petrel.PostPending && sent.RetryIn == 0 {
		b.pokePosts()
	}
}

// send gives a message to its adapter and says what became of it.
func (b *Bot) send(ctx context.Context, a Adapter, p petrel.Post) (sent storage.Sent) {
	defer func() {
		if r := recover(); r != nil {
			b.cfg.Log.Error("An adapter panicked while sending.", "post", p.ID, "panic", r)
			sent = storage.Sent{State: petrel.PostFailed, Error: "the adapter panicked"}
		}
	}()
	m, err := DecodeMessage(p.Body)
	if err != nil {
		return storage.Sent{State: petrel.PostFailed, Error: err.Error()}
	}
	out := Outgoing{Post: p, Message: m}
	if m.Silent {
		if _, console := a.(SilentTaker); !console {
			return storage.Sent{State: petrel.PostSent}
		}
	}
	id := p.ExternalID
	finder, canFind := a.(Finder)
	if id == "" && canFind && p.Attempts > 1 && p.Error == "" {
		// Somebody died while sending it; it may have arrived.
		if found, ok, err := finder.Find(ctx, out); err == nil && ok {
			id = found
		}
	}
	id, err = b.deliver(ctx, a, id, out)
	known := asSendError(err)
	switch {
	case err == nil:
		b.sendFile(ctx, a, id, out)
		return storage.Sent{State: petrel.PostSent, ExternalID: id}
	case known != nil && known.Permanent, p.Attempts >= maxSendTries:
		b.cfg.Log.Error("A message cannot be sent.", "post", p.ID, "adapter", p.Adapter, "channel", p.Channel, "error", err)
		return storage.Sent{State: petrel.PostFailed, ExternalID: id, Error: err.Error()}
	case known != nil:
		return storage.Sent{State: petrel.PostPending, ExternalID: id, RetryIn: backoff(known.RetryIn, p.Attempts), Error: err.Error()}
	case id != "": // an edit that may have arrived is made again
		return storage.Sent{State: petrel.PostPending, ExternalID: id, RetryIn: backoff(0, p.Attempts), Error: err.Error()}
	case canFind:
		if found, ok, findErr := finder.Find(context.WithoutCancel(ctx), out); findErr == nil {
			if ok {
				return storage.Sent{State: petrel.PostSent, ExternalID: found}
			}
			return storage.Sent{State: petrel.PostPending, RetryIn: backoff(0, p.Attempts), Error: err.Error()}
		}
	}
	b.cfg.Log.Warn("It is not known whether a message was sent.", "post", p.ID, "adapter", p.Adapter, "error", err)
	return storage.Sent{State: petrel.PostMaybeSent, Error: err.Error()}
}

// SilentTaker is an adapter that also takes silent messages, because its
// clients wait for the end of what they asked for.
type SilentTaker interface{ TakesSilent() }

// deliver edits the message when there is one, else sends it.
func (b *Bot) deliver(ctx context.Context, a Adapter, id string, out Outgoing) (string, error) {
	if id != "" {
		err := a.Edit(ctx, id, out)
		if known := asSendError(err); known == nil || !known.Gone {
			return id, err
		}
	}
	if private, ok := a.(Private); ok && out.Message.Private {
		return private.SendPrivate(ctx, out.Message.To, out)
	}
	return a.Send(ctx, out)
}

// sendFile attaches the whole text of a message that holds only its head, once
// the message is final. The message was sent; a file that was not is logged.
func (b *Bot) sendFile(ctx context.Context, a Adapter, id string, out Outgoing) {
	files, ok := a.(Files)
	if !ok || out.Message.File == nil || !out.Post.Final {
		return
	}
	name, content, err := b.file(ctx, out.Post)
	if err == nil {
		err = files.SendFile(ctx, id, out, name, content)
	}
	if err != nil {
		b.cfg.Log.Warn("The file of a message could not be sent.", "post", out.Post.ID, "error", err)
	}
}

func backoff(asked time.Duration, attempts int) time.Duration {
	return max(asked, min(retryLongest, retryFirst<<min(max(attempts-1, 0), 10)))
}

// sweepAll looks for what was missed: events and messages that nobody was told
// of, and those of nodes that died.
func (b *Bot) sweepAll(ctx context.Context) {
	for {
		if swept, err := b.cfg.Store.SweepPosts(ctx, sendBatch); err == nil {
			for _, p := range swept {
				b.cfg.Log.Info("A message was on its way when its sender died.", "post", p.ID)
			}
		} else if ctx.Err() == nil {
			b.cfg.Log.Warn("Messages of dead senders could not be swept.", "error", err)
		}
		select {
		case b.wakeEvents <- nil:
		default:
		}
		b.lookHeld.Store(true)
		b.renderAll(ctx, nil)
		wait(ctx, b.cfg.Sweep)
		if ctx.Err() != nil {
			return
		}
	}
}
